// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// agentEnv names a program that is built from agentPackage already. It is for machines without Go.
const agentEnv = "OTELCOL_EBPF_TRAFFIC_AGENT"

// agentPackage is the program that agents run. It starts several times as fast as a test binary, which has the whole
// receiver in it, and tests start a few hundred agents.
const agentPackage = "github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic/agent"

// executables holds the programs under the names that agents run them by.
var executables struct {
	sync.Mutex
	dir string
}

// source returns the path of a program that is there. It is called with the executables locked.
type source func() (string, error)

// testBinary is the program that runs now.
func testBinary() (string, error) { return os.Executable() }

// agentProgram is agentPackage, which is built at the first call.
func agentProgram() (string, error) {
	if path := os.Getenv(agentEnv); path != "" {
		return path, nil
	}
	path := filepath.Join(executables.dir, "built", "agent")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", path, agentPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return path, nil
}

// executable returns the path of a program under that base name, where every user may run it.
func executable(t testing.TB, from source, name string) string {
	t.Helper()
	executables.Lock()
	defer executables.Unlock()
	if executables.dir == "" {
		dir, err := os.MkdirTemp("", "kernel-test-agents")
		require.NoError(t, err)
		require.NoError(t, os.Chmod(dir, 0o755))
		executables.dir = dir
	}
	original, err := from()
	require.NoError(t, err)
	path := filepath.Join(executables.dir, filepath.Base(original), name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	testenv.LinkOrCopy(t, original, path)
	return path
}

// RemoveExecutables removes the named executables of agents from the disk; TestMain calls it after the tests.
func RemoveExecutables() {
	executables.Lock()
	defer executables.Unlock()
	if executables.dir != "" {
		_ = os.RemoveAll(executables.dir)
		executables.dir = ""
	}
}
