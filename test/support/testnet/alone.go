// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// aloneEnv has the name of the test in the process that Alone starts.
const aloneEnv = "OTELCOL_EBPF_TEST_ALONE"

// Alone runs a top-level test in a process with an empty network namespace, so that its loopback interface carries only the
// traffic of the test. It returns true in that process, and false in the first one, where the test is over.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneEnv) == t.Name() {
		link, err := netlink.LinkByName("lo")
		require.NoError(t, err)
		require.NoError(t, netlink.LinkSetUp(link))
		return true
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe",
		"-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+testenv.Patiently(2*time.Minute).String())
	cmd.Env = append(os.Environ(), aloneEnv+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "--- PASS: "+t.Name()+" ", "the test did not run")
	return false
}
