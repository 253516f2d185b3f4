// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package irreversible

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const programs = "programs: {connection: {}, packet_drop: {}, oom: {}, process: {}, tcp: {}}"

// kernel.unprivileged_bpf_disabled does not affect a receiver with capabilities, even if it is 1 until the next boot.
func TestUnprivilegedBPF(t *testing.T) {
	testnet.Require(t)
	for _, value := range []string{"0", "2", "1"} {
		require.NoError(t, os.WriteFile("/proc/sys/kernel/unprivileged_bpf_disabled", []byte(value), 0))
		a := traffic.Start(t, testnet.NewNamespace(t), traffic.OfTestBinary(), traffic.Restricted(restrict.Restriction{Drop: restrict.AllBut(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN)}))
		testhost.LimitLockedMemory(t, a.PID, unix.RLIM_INFINITY)
		outcome := testreceiver.Try(a, programs)
		assert.Empty(t, outcome.Error, "with kernel.unprivileged_bpf_disabled=%s", value)
		assert.Contains(t, outcome.States, "packet_drop attached")
		assert.Empty(t, outcome.Left)
	}
}

// With lockdown=integrity the programs run. With lockdown=confidentiality they do not, and the error says so, even if the
// lockdown state cannot be read.
func TestLockdown(t *testing.T) {
	testnet.Require(t)
	const dir, file = "/sys/kernel/security", "/sys/kernel/security/lockdown"
	try := func() testreceiver.Outcome {
		return testreceiver.Try(traffic.Start(t, testnet.NewNamespace(t), traffic.OfTestBinary()), programs)
	}
	lockDown := func(how string) {
		require.NoError(t, unix.Mount("securityfs", dir, "securityfs", 0, ""))
		require.NoError(t, os.WriteFile(file, []byte(how), 0), "set the lockdown to %s", how)
	}

	lockDown("integrity")
	assert.Empty(t, try().Error)
	require.NoError(t, unix.Unmount(dir, 0))

	lockDown("confidentiality")
	outcome := try()
	assert.Contains(t, outcome.Error, "the kernel is locked down for confidentiality")
	assert.Contains(t, outcome.Error, "lockdown=integrity")
	assert.Empty(t, outcome.Left)
	require.NoError(t, unix.Unmount(dir, 0))
	outcome = try()
	assert.Contains(t, outcome.Error, "lockdown=integrity")
	assert.Empty(t, outcome.Left)
}
