// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Events and metrics have only traffic that matches all keys of include and none of exclude.
func TestInclude(t *testing.T) {
	testnet.Require(t)
	right4, right6 := testnet.Right.IPv4, testnet.Right.IPv6
	for name, c := range map[string]struct {
		filters string
		// The client connects to unseen, then to seen.
		unseen, seen []netip.AddrPort
	}{
		"networks": {
			filters: "include: {cidrs: [198.18.0.2, 'fd18::/16']}",
			unseen:  []netip.AddrPort{traffic.Addr(testnet.Loopback4, 80), traffic.Addr(testnet.Loopback6, 81)},
			seen:    []netip.AddrPort{traffic.Addr(right4, 82), traffic.Addr(testnet.Right.Mapped(), 83), traffic.Addr(right6, 84)},
		},
		"all of IPv6": {
			filters: "include: {cidrs: ['::/0']}",
			unseen:  []netip.AddrPort{traffic.Addr(right4, 80), traffic.Addr(testnet.Right.Mapped(), 81)},
			seen:    []netip.AddrPort{traffic.Addr(testnet.Loopback6, 82), traffic.Addr(right6, 83)},
		},
		"ports": {
			filters: "include: {ports: [80, 65535]}",
			unseen:  []netip.AddrPort{traffic.Addr(right4, 81), traffic.Addr(right6, 65534)},
			seen:    []netip.AddrPort{traffic.Addr(right4, 80), traffic.Addr(right6, 80), traffic.Addr(right4, 65535)},
		},
		"loopback": {
			filters: "include: {loopback: true}",
			unseen:  []netip.AddrPort{traffic.Addr(right4, 80), traffic.Addr(right6, 81)},
			seen:    []netip.AddrPort{traffic.Addr(testnet.Loopback4, 82), traffic.Addr(testnet.Loopback6, 83)},
		},
		"ports of a network": {
			filters: "include: {ports: [80], cidrs: [198.18.0.0/24]}",
			unseen:  []netip.AddrPort{traffic.Addr(right4, 81), traffic.Addr(right6, 80)},
			seen:    []netip.AddrPort{traffic.Addr(right4, 80)},
		},
		"a network without a part of it": {
			filters: "include: {cidrs: [198.18.0.0/24]}\nexclude: {ports: [80]}",
			unseen:  []netip.AddrPort{traffic.Addr(right4, 80), traffic.Addr(right6, 81)},
			seen:    []netip.AddrPort{traffic.Addr(right4, 81)},
		},
		"its executable": {
			filters: "include: {executables: [another, kernel-test-client]}",
			seen:    []netip.AddrPort{traffic.Addr(right4, 80), traffic.Addr(right6, 81)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := testreceiver.Start(t, c.filters+"\n"+onlyConnection)
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			for _, to := range append(c.unseen, c.seen...) {
				s.client.Connect(to)
			}
			// The records of connections that one thread makes one after the other are in this order.
			events := r.Wait(t, len(c.seen), testreceiver.OfProcess(s.client.PID))
			var seen []string
			for _, e := range events {
				seen = append(seen, fmt.Sprintf("%v:%v", e.Attributes["server.address"], e.Attributes["server.port"]))
			}
			var want []string
			for _, to := range c.seen {
				want = append(want, fmt.Sprintf("%v:%v", to.Addr().Unmap(), to.Port()))
			}
			assert.Equal(t, want, seen)
			assert.Equal(t, len(c.seen), r.Scrape(t).In(container).Int(failedMetric, nil))
		})
	}
}

// Processes that are not included have no event and no metric in any program.
func TestIncludeExecutables(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "include: {executables: [kernel-test-server]}\nprograms: {connection: {}, packet_drop: {}, tcp: {}, process: {}, file: {}}")
	s := newClientServer(t)
	folder := testhost.NewFolder(t)
	s.left.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_UDP, Port: closedPort})
	for _, a := range []*traffic.Agent{s.client, s.server} {
		a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
		a.SendTo(a.OpenUDP(traffic.Addr(netip.IPv4Unspecified(), 0)).FD, traffic.Addr(testnet.Right.IPv4, closedPort), 1)
		a.DeleteMany(folder, 1)
	}
	for _, name := range []string{connectEvent, resetEvent, execEvent, deleteEvent} {
		assert.NotEmpty(t, r.Wait(t, 1, testreceiver.Named(name), testreceiver.OfProcess(s.server.PID)))
	}
	assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(s.client.PID)))
}

// Containers and units are included from their first process on, also if they start later than the receiver.
func TestIncludeContainersAndUnits(t *testing.T) {
	testnet.Require(t)
	service, newScope, names := newUnits(t)
	older, laterID := testhost.NewContainer(t), testhost.NewContainerID(t)
	r := testreceiver.Start(t, fmt.Sprintf("include: {containers: [%s, %s], units: [%s, %s]}\nprograms: {connection: {}, packet_drop: {}, process: {}}",
		older.ContainerID, laterID[:16], names[0], names[1]))
	ns := testnet.NewNamespace(t)
	ns.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_UDP, Port: closedPort})
	act := func(in *testhost.Cgroup) *traffic.Agent {
		a := traffic.Start(t, ns, traffic.In(in))
		a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
		a.SendTo(a.OpenUDP(traffic.Addr(testnet.Loopback4, 0)).FD, traffic.Addr(testnet.Loopback4, closedPort), 10)
		return a
	}
	others := []*traffic.Agent{act(testhost.NewContainer(t)), act(testhost.NewCgroup(t))}
	later := testhost.NewCgroupAt(t, "/kernel-test.slice/docker-"+laterID+".scope")
	for _, in := range []*testhost.Cgroup{older, older.Nested(t, "nested"), later, service, newScope()} {
		a := act(in)
		for name, count := range map[string]int{connectEvent: 2, dropEvent: 1, execEvent: 1} { // TCP and UDP are connections
			assert.Len(t, r.Wait(t, count, testreceiver.Named(name), testreceiver.OfProcess(a.PID)), count, "%s of %s", name, in.Path)
		}
	}
	for _, other := range others {
		assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(other.PID)))
	}
	metrics := r.Scrape(t)
	assert.Equal(t, 5, metrics.Int(failedMetric, testreceiver.Attributes{"network.transport": "tcp"}))
	require.Len(t, metrics.Resources(failedMetric), 4, "one for each container and unit")
}
