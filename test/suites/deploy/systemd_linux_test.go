// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

const (
	unit = "otelcol-ebpf.service"
	// maxExposure is the highest exposure that systemd may report for the service, in tenths. It results from what the
	// collector needs: capabilities, the network, and the bpf system call.
	maxExposure = "25"
)

// analyze runs systemd-analyze, which works without a running systemd.
func analyze(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		testenv.Missing(t, "Debian's package systemd is not installed: "+err.Error())
	}
	text, err := exec.Command(tool, args...).CombinedOutput()
	return string(text), err
}

// verify makes systemd check the unit in a separate root, with the executables that the unit names.
func verify(t *testing.T, unitText []byte) (output string, err error) {
	t.Helper()
	root := t.TempDir()
	units := filepath.Join(root, "usr/lib/systemd/system")
	require.NoError(t, os.MkdirAll(filepath.Dir(units), 0o755))
	if text, err := exec.Command("cp", "-a", "/usr/lib/systemd/system", units).CombinedOutput(); err != nil {
		testenv.Missing(t, "systemd's own units are not installed: "+string(text))
	}
	for _, match := range regexp.MustCompile(`(?m)^Exec\w+=(/\S+)`).FindAllSubmatch(unitText, -1) {
		executable := filepath.Join(root, string(match[1]))
		require.NoError(t, os.MkdirAll(filepath.Dir(executable), 0o755))
		require.NoError(t, os.WriteFile(executable, nil, 0o755))
	}
	installed := filepath.Join(root, "etc/systemd/system", unit)
	require.NoError(t, os.MkdirAll(filepath.Dir(installed), 0o755))
	require.NoError(t, os.WriteFile(installed, unitText, 0o600))
	return analyze(t, "verify", "--man=no", "--root="+root, unit)
}

func TestUnitIsValid(t *testing.T) {
	text, err := os.ReadFile(testenv.Repository(t, "deploy/"+unit))
	require.NoError(t, err)
	output, err := verify(t, text)
	require.NoError(t, err, output)
	assert.Empty(t, output)

	// The check of the unit finds mistakes.
	output, _ = verify(t, append(text, "\n[Service]\nNoNewPrivilege=yes\n"...))
	assert.Contains(t, output, "NoNewPrivilege' in section")
}

func TestUnitIsHardened(t *testing.T) {
	path := testenv.Repository(t, "deploy/"+unit)
	output, err := analyze(t, "security", "--no-pager", "--offline=true", "--threshold="+maxExposure, path)
	assert.NoError(t, err, output)

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	soft := filepath.Join(t.TempDir(), unit)
	require.NoError(t, os.WriteFile(soft, regexp.MustCompile(`(?m)^SystemCall.*\n`).ReplaceAll(text, nil), 0o600))
	output, err = analyze(t, "security", "--no-pager", "--offline=true", "--threshold="+maxExposure, soft)
	assert.Error(t, err, "a unit without a system call filter must not pass: %s", output)
}
