// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

func newTestShared(t *testing.T, filters Filters) *shared {
	t.Helper()
	kerneltest.Require(t)
	kerneltest.LeavesNothing(t)
	s, err := newShared(1<<16, filters, true, false)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.close()) })
	return s
}

// has looks up an address in a map of CIDRs, as the BPF side does.
func (s *shared) has(t *testing.T, cidrs, address string) bool {
	t.Helper()
	key := common.CIDR{PrefixLength: 128}
	key.Address.Octets = netip.MustParseAddr(address).As16()
	var verdict uint8
	err := s.maps[cidrs].Lookup(&key, &verdict)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return false
	}
	require.NoError(t, err)
	return verdict != 0
}

func TestFilteredCIDRs(t *testing.T) {
	for name, tt := range map[string]struct {
		cidrs   []string
		out, in []string
	}{
		"none":     {nil, nil, []string{"10.0.0.1", "::1", "::"}},
		"all IPv6": {[]string{"::/0"}, []string{"2001:db8::1", "::1", "fe80::1", "ffff::"}, []string{"10.0.0.1", "0.0.0.0", "255.255.255.255", "127.0.0.1"}},
		"all IPv4": {[]string{"0.0.0.0/0"}, []string{"10.0.0.1", "0.0.0.0", "255.255.255.255", "::ffff:10.0.0.1"}, []string{"2001:db8::1", "::1", "::"}},
		"all":      {[]string{"::/0", "0.0.0.0/0"}, []string{"10.0.0.1", "2001:db8::1", "::"}, nil},
		"around the mapped addresses": {
			[]string{"::/8"}, []string{"::1", "::fffe:10.0.0.1", "64:ff9b::1"}, []string{"10.0.0.1", "2001:db8::1"},
		},
		"IPv4 networks": {
			[]string{"10.0.0.0/8", "192.0.2.128/25"},
			[]string{"10.0.0.0", "10.255.255.255", "192.0.2.128", "192.0.2.255"},
			[]string{"9.255.255.255", "11.0.0.0", "192.0.2.127", "::10.0.0.1", "a00::"},
		},
		"addresses": {
			[]string{"192.0.2.1/32", "2001:db8::5/128"},
			[]string{"192.0.2.1", "2001:db8::5"},
			[]string{"192.0.2.0", "192.0.2.2", "2001:db8::4", "2001:db8::6"},
		},
		"one in the other": {
			[]string{"10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/8", "fd00::/8", "::/0"},
			[]string{"10.1.2.3", "10.2.3.4", "fd00::1", "fe80::1"},
			[]string{"11.0.0.1"},
		},
		"odd lengths": {
			[]string{"172.16.0.0/12", "2001:db8:8000::/33"},
			[]string{"172.31.255.255", "2001:db8:ffff::1"},
			[]string{"172.32.0.0", "172.15.255.255", "2001:db8:7fff::1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var cidrs []netip.Prefix
			for _, cidr := range tt.cidrs {
				cidrs = append(cidrs, netip.MustParsePrefix(cidr))
			}
			filter := Filter{CIDRs: cidrs}
			for _, c := range []struct {
				filters                        Filters
				used, unused, usedBy, unusedBy string
			}{
				{Filters{Exclude: filter}, common.MapExcludedCidrs, common.MapIncludedCidrs, common.VarExcludeCidrs, common.VarIncludeCidrs},
				{Filters{Include: Include{Filter: filter}}, common.MapIncludedCidrs, common.MapExcludedCidrs, common.VarIncludeCidrs, common.VarExcludeCidrs},
			} {
				t.Run(c.used, func(t *testing.T) {
					s := newTestShared(t, c.filters)
					for _, address := range tt.out {
						assert.True(t, s.has(t, c.used, address), "%s must be in it", address)
						assert.False(t, s.has(t, c.unused, address), address)
					}
					for _, address := range tt.in {
						assert.False(t, s.has(t, c.used, address), "%s must not be in it", address)
					}
					assert.Equal(t, len(cidrs) > 0, s.variables[c.usedBy])
					assert.Equal(t, false, s.variables[c.unusedBy])
				})
			}
		})
	}
}

func TestFilteredPorts(t *testing.T) {
	excluded, included := []uint16{1, 22, 63, 64, 443, 32768, 65535}, []uint16{80}
	s := newTestShared(t, Filters{Exclude: Filter{Ports: excluded}, Include: Include{Filter: Filter{Ports: included}}})
	for name, want := range map[string][]uint16{common.MapExcludedPorts: excluded, common.MapIncludedPorts: included} {
		var ports common.Ports
		require.NoError(t, s.maps[name].Lookup(uint32(0), &ports))
		var got []uint16
		for port := range 1 << 16 {
			if ports.Bits[port>>6]>>(port&63)&1 == 1 { // as filter.h does
				got = append(got, uint16(port))
			}
		}
		assert.Equal(t, want, got)
	}
	assert.Equal(t, true, s.variables[common.VarExcludePorts])
	assert.Equal(t, true, s.variables[common.VarIncludePorts])
}

func TestExcludedExecutables(t *testing.T) {
	longest := strings.Repeat("x", 47)
	s := newTestShared(t, Filters{Exclude: Filter{Executables: []string{"sshd", longest, longest + "yz", "sshd"}}})
	var (
		key     common.Executable
		present uint8
		got     []string
	)
	entries := s.maps[common.MapExcludedExecutables].Iterate()
	for entries.Next(&key, &present) {
		got = append(got, string(common.Text(key.Name[:])))
		assert.Zero(t, key.Name[len(key.Name)-1], "the BPF side ends its names with a zero")
		assert.EqualValues(t, 1, present)
	}
	require.NoError(t, entries.Err())
	assert.ElementsMatch(t, []string{"sshd", longest}, got)
	assert.Equal(t, true, s.variables[common.VarExcludeExecutables])
}

func TestNothingExcluded(t *testing.T) {
	s := newTestShared(t, Filters{})
	for _, name := range []string{
		common.VarExcludeLoopback, common.VarExcludeCidrs, common.VarExcludePorts, common.VarExcludeExecutables,
	} {
		assert.Equal(t, false, s.variables[name], name)
	}
	assert.NotContains(t, s.variables, common.VarSelfPid)
	assert.EqualValues(t, 1<<16, s.maps[common.MapRecords].MaxEntries())
}

// Names of processes are read only if events or exclusions need them.
func TestNamesAreReadForEventsAndExclusion(t *testing.T) {
	kerneltest.Require(t)
	for _, tt := range []struct {
		emit        bool
		executables []string
		want        bool
	}{{false, nil, false}, {true, nil, true}, {false, []string{"sshd"}, true}} {
		s, err := newShared(1<<16, Filters{Exclude: Filter{Executables: tt.executables}}, tt.emit, false)
		require.NoError(t, err)
		assert.Equal(t, tt.want, s.variables[common.VarReadNames], "%+v", tt)
		require.NoError(t, s.close())
	}
}

func TestSharedReplacements(t *testing.T) {
	s := newTestShared(t, Filters{Exclude: Filter{CIDRs: []netip.Prefix{netip.MustParsePrefix("::/0")}}})
	spec := objectOf()
	spec.Maps[common.MapRecords] = &ebpf.MapSpec{Name: common.MapRecords, Type: ebpf.RingBuf, MaxEntries: 8 << 20}
	spec.Maps[common.MapExcludedCidrs] = &ebpf.MapSpec{Name: common.MapExcludedCidrs, Type: ebpf.LPMTrie, MaxEntries: 1}
	replacements := s.replacements(spec)
	assert.Len(t, replacements, 2, "only shared maps that the object uses")
	assert.Same(t, s.maps[common.MapRecords], replacements[common.MapRecords])
	assert.EqualValues(t, 1<<16, spec.Maps[common.MapRecords].MaxEntries)
	assert.EqualValues(t, 2, spec.Maps[common.MapExcludedCidrs].MaxEntries)
}

func TestSharedFails(t *testing.T) {
	kerneltest.Require(t)
	kerneltest.LeavesNothing(t)
	_, err := newShared(1000, Filters{}, true, false)
	require.ErrorContains(t, err, "create map ebpf_records: ")
}

const (
	ownPIDChild = "own pid"
	// hostPIDs is the target of /proc/self/ns/pid in the PID namespace of the host (PROC_PID_INIT_INO).
	hostPIDs = "pid:[4026531836]"
)

func init() {
	children[ownPIDChild] = func() {
		pid, err := ownPID()
		fmt.Println(os.Getpid(), pid, err)
	}
}

// In a PID namespace, getpid returns another id than the kernel's.
func TestOwnPID(t *testing.T) {
	kerneltest.Require(t)
	kerneltest.LeavesNothing(t)
	own, err := ownPID()
	require.NoError(t, err)
	require.NotZero(t, own)

	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+ownPIDChild)
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	output, err := child.CombinedOutput()
	require.NoError(t, err, "%s", output)
	var namespaced, host uint32
	_, err = fmt.Sscanf(string(output), "%d %d <nil>\n", &namespaced, &host)
	require.NoError(t, err, "%s", output)
	assert.EqualValues(t, 1, namespaced, "the child is in a PID namespace")
	assert.NotEqual(t, namespaced, host)
	assert.NotEqual(t, own, host)

	namespace, err := os.Readlink("/proc/self/ns/pid")
	require.NoError(t, err)
	if namespace == hostPIDs {
		assert.EqualValues(t, os.Getpid(), own)
		assert.EqualValues(t, child.Process.Pid, host)
	}
}
