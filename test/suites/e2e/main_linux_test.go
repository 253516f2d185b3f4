// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func TestMain(m *testing.M) {
	traffic.Main()
	restrict.Main()
	code := m.Run()
	traffic.RemoveExecutables()
	os.Exit(code)
}

// restricted makes the command run under a restriction.
func restricted(t *testing.T, cmd *exec.Cmd, r restrict.Restriction) *exec.Cmd {
	t.Helper()
	under, err := restrict.Command(cmd, r)
	require.NoError(t, err)
	return under
}

// prometheusBinary returns the path of Debian's Prometheus server.
func prometheusBinary(t *testing.T) string {
	t.Helper()
	path := testenv.Repository(t, ".cache/prometheus/usr/bin/prometheus")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	path, err := exec.LookPath("prometheus")
	if err != nil {
		testenv.Missing(t, "there is no Prometheus server, run `make prometheus`: "+err.Error())
	}
	return path
}
