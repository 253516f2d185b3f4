// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/internal/tracefstest"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// The error names what the receiver lacks, with the remedy, and no objects remain.
func TestMissingPrivilegesAndMounts(t *testing.T) {
	testnet.Require(t)
	for name, c := range map[string]struct {
		option traffic.Option
		config string
		// names are texts that the error must contain, others those that it must not contain.
		names, others []string
	}{
		"not root": {
			option: traffic.AsUser(clientUser), config: bothPrograms,
			names: []string{"CAP_BPF", "CAP_PERFMON", "are missing"},
		},
		"no CAP_BPF": {
			option: traffic.Restricted(restrict.Restriction{Drop: []uintptr{unix.CAP_BPF, unix.CAP_SYS_ADMIN}}), config: bothPrograms,
			names: []string{"CAP_BPF is missing"}, others: []string{"CAP_PERFMON is", "CAP_PERFMON are"},
		},
		"no CAP_PERFMON": {
			option: traffic.Restricted(restrict.Restriction{Drop: []uintptr{unix.CAP_PERFMON, unix.CAP_SYS_ADMIN}}), config: bothPrograms,
			names: []string{"CAP_PERFMON is missing"}, others: []string{"CAP_BPF is", "CAP_BPF are"},
		},
		"no CAP_NET_ADMIN": {
			option: traffic.Restricted(restrict.Restriction{Drop: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN}}), config: bothPrograms,
			names: []string{"CAP_NET_ADMIN is missing"}, others: []string{"CAP_BPF is", "CAP_PERFMON is"},
		},
		"no cgroup2": {
			option: traffic.Restricted(restrict.Restriction{Unmount: []string{"cgroup2"}}), config: onlyConnection,
			names: []string{"cgroup2", "mount"},
		},
		"no tracefs": {
			option: traffic.Restricted(restrict.Restriction{Unmount: []string{"tracefs"}}), config: "programs: {connection: {protocols: [tcp, unix]}}",
			names: []string{"tracefs", "mount"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := traffic.Start(t, testnet.NewNamespace(t), traffic.OfTestBinary(), c.option)

			propagated := testreceiver.Try(a, c.config)
			require.NotEmpty(t, propagated.Error, "Start fails")
			for _, text := range c.names {
				assert.Contains(t, propagated.Error, text)
			}
			for _, text := range c.others {
				assert.NotContains(t, propagated.Error, text)
			}
			assert.NotContains(t, strings.ToLower(propagated.Error), "verifier")
			assert.Empty(t, propagated.Left, "BPF objects remain")

			ignored := testreceiver.Try(a, "error_mode: ignore\n"+c.config)
			assert.Empty(t, ignored.Error, "with error_mode: ignore the collector must start")
			assert.True(t, slices.ContainsFunc(ignored.Statuses, func(status string) bool {
				return strings.HasPrefix(status, "StatusPermanentError") && strings.Contains(status, c.names[0])
			}), "the status does not say what is wrong: %v", ignored.Statuses)
			assert.Empty(t, ignored.Left, "BPF objects remain")
		})
	}
}

// Each program runs in each of its ways with exactly the capabilities that its Definition lists.
func TestCapabilitiesSuffice(t *testing.T) {
	testnet.Require(t)
	tracefstest.Mount(t)
	testhost.AllowTracepoints(t)
	for _, p := range programs.All() {
		for _, way := range p.Privileges {
			t.Run(p.Name+" "+way.Settings, func(t *testing.T) {
				a := traffic.Start(t, testnet.NewNamespace(t), traffic.OfTestBinary(), traffic.Restricted(restrict.Restriction{Drop: restrict.AllBut(programs.CapabilityNumbers(way.Needed...)...)}))
				outcome := testreceiver.Try(a, "programs: {"+p.Name+": "+strings.ReplaceAll(way.Settings, `"*"`, "lo")+"}")
				assert.Empty(t, outcome.Error)
				assert.Contains(t, outcome.States, p.Name+" attached")
				assert.Empty(t, outcome.Left)
			})
		}
	}
}

// Before Linux 5.11 a limit of locked memory matters. The receiver raises it, or names the capability that it lacks.
func TestLockedMemory(t *testing.T) {
	testnet.Require(t)
	const little = 64 << 10
	for name, c := range map[string]struct {
		limit uint64
		drop  []uintptr
		lacks bool
	}{
		"limited":                            {little, nil, false},
		"limited without CAP_SYS_RESOURCE":   {little, []uintptr{unix.CAP_SYS_RESOURCE}, kernelSays().lockedMaps},
		"unlimited without CAP_SYS_RESOURCE": {unix.RLIM_INFINITY, []uintptr{unix.CAP_SYS_RESOURCE}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := traffic.Start(t, testnet.NewNamespace(t), traffic.OfTestBinary(), traffic.Restricted(restrict.Restriction{Drop: c.drop}))
			if c.limit == little || kernelSays().lockedMaps { // raising the limit needs the capability
				testhost.LimitLockedMemory(t, a.PID, c.limit)
			}
			outcome := testreceiver.Try(a, bothPrograms)
			if c.lacks {
				assert.Contains(t, outcome.Error, "CAP_SYS_RESOURCE is missing")
			} else {
				assert.Empty(t, outcome.Error)
			}
			assert.Empty(t, outcome.Left)
		})
	}
}

// With error_mode ignore, a program that cannot run does not stop the others.
func TestIgnoredProgramLeavesTheOthers(t *testing.T) {
	testnet.Require(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.OfTestBinary(), traffic.Restricted(restrict.Restriction{Unmount: []string{"tracefs"}}))
	outcome := testreceiver.Try(a, "error_mode: ignore\nprograms: {connection: {protocols: [tcp, unix]}, packet_drop: {}}")
	require.Empty(t, outcome.Error)
	assert.Contains(t, outcome.States, "packet_drop attached")
	assert.Contains(t, outcome.States, "packet_drop detached")
	assert.Contains(t, outcome.States, "connection failed")
	assert.NotContains(t, outcome.States, "connection attached")
	assert.Empty(t, outcome.Left)
}

// In a PID namespace, a process knows itself by another id than the kernel does.
func TestPIDNamespaces(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	ns := testnet.NewNamespace(t)
	a := traffic.Start(t, ns, traffic.OfTestBinary(), traffic.InPIDNamespace())
	a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
	r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.InNamespace(ns), testreceiver.OfProcess(a.PID))

	t.Run("the receiver's own", func(t *testing.T) {
		for exclude, want := range map[string]int{"true": 0, "false": 1} {
			a := traffic.Start(t, testnet.NewNamespace(t), traffic.OfTestBinary(), traffic.InPIDNamespace())
			assert.Equal(t, want, testreceiver.TrySelf(a, "exclude: {self: "+exclude+"}\n"+onlyConnection), "with exclude::self %s", exclude)
		}
	})
}
