// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// newUnits returns the cgroups of two systemd units with random names: a service that is there before the receiver, and a scope.
func newUnits(t *testing.T) (service *testhost.Cgroup, scope func() *testhost.Cgroup, names [2]string) {
	t.Helper()
	id := testhost.NewContainerID(t)[:8]
	names = [2]string{"web-" + id + ".service", "session-" + id + ".scope"}
	return testhost.NewCgroupAt(t, "/kernel-test.slice/"+names[0]),
		func() *testhost.Cgroup { return testhost.NewCgroupAt(t, "/kernel-test.slice/"+names[1]) }, names
}

func ofUnit(name string) map[string]any {
	return map[string]any{"systemd.unit.name": name, "process.linux.cgroup": "0::/kernel-test.slice/" + name}
}

// The units of systemd are resources of events and metrics, in all programs that report an owner.
func TestUnitsAreResources(t *testing.T) {
	testnet.Require(t)
	service, newScope, names := newUnits(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp]}, packet_drop: {}, tcp: {}, process: {}}")
	scope := newScope()
	ns := testnet.NewNamespace(t)
	ns.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_UDP, Port: closedPort})
	for unit, in := range map[string]*testhost.Cgroup{names[0]: service, names[1]: scope} {
		a := traffic.Start(t, ns, traffic.In(in))
		a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
		a.SendTo(a.OpenUDP(traffic.Addr(testnet.Loopback4, 0)).FD, traffic.Addr(testnet.Loopback4, closedPort), 10)
		for _, name := range []string{connectEvent, dropEvent, resetEvent, execEvent} {
			events := r.Wait(t, 1, testreceiver.Named(name), testreceiver.OfProcess(a.PID))
			for _, e := range events {
				assert.Equal(t, ofUnit(unit), e.Resource, e)
			}
		}
		m := r.Scrape(t)
		var counted []testreceiver.Series
		for _, resource := range m.Resources(failedMetric) {
			if resource["systemd.unit.name"] == unit {
				assert.Equal(t, ofUnit(unit), resource)
				counted = m.In(in).Series(failedMetric)
			}
		}
		assert.Equal(t, []testreceiver.Series{{Attributes: testreceiver.Attributes{
			"network.transport": "tcp", "network.type": "ipv4", "error.type": "refused", causeKey: "reset_by_peer",
		}, Value: 1}}, counted)
	}
}

// Without the attribute, processes outside of containers belong to the host.
func TestUnitsCanBeTurnedOff(t *testing.T) {
	testnet.Require(t)
	service, _, _ := newUnits(t)
	r := testreceiver.Start(t, "resource_attributes: {systemd.unit.name: {enabled: false}}\nprograms: {connection: {protocols: [tcp]}}")
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(service))
	a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
	e := r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.OfProcess(a.PID))[0]
	assert.Empty(t, e.Resource)
	require.Len(t, r.Scrape(t).Resources(failedMetric), 1)
	assert.Empty(t, r.Scrape(t).Resources(failedMetric)[0])
}
