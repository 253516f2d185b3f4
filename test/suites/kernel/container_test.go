// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
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

const bothPrograms = "programs: {connection: {}, packet_drop: {}}"

// resource returns the attributes of the container's resource.
func resource(c *testhost.Cgroup) map[string]any {
	return map[string]any{
		"container.id": c.ContainerID, "k8s.pod.uid": c.PodUID, "process.linux.cgroup": "0::" + c.Path,
	}
}

// Each side of a connection belongs to its own container, whichever process runs at a state change.
func TestEachSideBelongsToItsContainer(t *testing.T) {
	testnet.Require(t)
	older := testhost.NewContainer(t)
	r := testreceiver.Start(t, bothPrograms)
	newer := testhost.NewContainer(t)

	ns := testnet.NewNamespace(t)
	client, server := traffic.Start(t, ns, traffic.In(older)), traffic.Start(t, ns, traffic.In(newer))
	listener := server.Listen(traffic.Addr(testnet.Loopback4, 0))
	c := client.Connect(listener.Local)
	a := server.Accept(listener.FD)
	closeInTurn(client, c.FD, server, a.FD)

	r.Exactly(t, 4, testreceiver.OfProcess(client.PID, server.PID))
	for _, e := range r.Events.Matching(testreceiver.OfProcess(client.PID)) {
		assert.Equal(t, resource(older), e.Resource, e)
	}
	for _, e := range r.Events.Matching(testreceiver.OfProcess(server.PID)) {
		assert.Equal(t, resource(newer), e.Resource, e)
	}
	m := r.Scrape(t)
	assert.Equal(t, []testreceiver.Series{{Attributes: tcp("ipv4", "client"), Value: 1}}, m.In(older).Series(openedMetric))
	assert.Equal(t, []testreceiver.Series{{Attributes: tcp("ipv4", "server"), Value: 1}}, m.In(newer).Series(openedMetric))
}

// A cgroup that no container runtime made belongs to the host.
func TestOrdinaryCgroupIsNoContainer(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, bothPrograms)
	ns := testnet.NewNamespace(t)
	a := traffic.Start(t, ns, traffic.In(testhost.NewCgroup(t)))
	a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
	e := r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.OfProcess(a.PID))[0]
	assert.NotContains(t, e.Resource, "container.id")
	assert.NotContains(t, e.Resource, "k8s.pod.uid")
}

// A container may end before the next walk of the tree.
func TestShortLivedContainer(t *testing.T) {
	testnet.Require(t)
	// Metrics are read long after the end of the container.
	r := testreceiver.Start(t, "collection_interval: 500ms\n"+bothPrograms)
	for range 5 {
		container := testhost.NewContainer(t)
		ns := testnet.NewNamespace(t)
		ns.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_UDP, Port: closedPort})
		a := traffic.Start(t, ns, traffic.In(container))
		a.SendTo(a.OpenUDP(traffic.Addr(testnet.Loopback4, 0)).FD, traffic.Addr(testnet.Loopback4, closedPort), 10)
		a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
		a.Exit()
		container.Remove(t)

		for _, name := range []string{connectEvent, dropEvent} {
			for _, e := range r.Wait(t, 1, testreceiver.Named(name), testreceiver.OfProcess(a.PID)) {
				assert.Equal(t, resource(container), e.Resource, e)
			}
		}
		m := r.Scrape(t).In(container)
		assert.Equal(t, []map[string]any{resource(container)}, m.Resources("ebpf.packet.drops"))
		assert.Equal(t, 1, m.Int("ebpf.packet.drops", dropSeries("netfilter_drop", "ipv4")))
		assert.Equal(t, []map[string]any{resource(container)}, m.Resources(failedMetric))
		assert.Equal(t, 1, m.Int(failedMetric, testreceiver.Attributes{"network.transport": "tcp"}))
	}
}

// Cgroups inside of a container belong to the container.
func TestNestedCgroupBelongsToItsContainer(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, bothPrograms)
	container := testhost.NewContainer(t)
	nested := container.Nested(t, "init")
	ns := testnet.NewNamespace(t)
	agents := []*traffic.Agent{traffic.Start(t, ns, traffic.In(container)), traffic.Start(t, ns, traffic.In(nested))}
	for _, a := range agents {
		a.Connect(traffic.Addr(testnet.Loopback6, closedPort))
		e := r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.OfProcess(a.PID))[0]
		assert.Equal(t, container.ContainerID, e.Resource["container.id"])
		assert.Equal(t, container.PodUID, e.Resource["k8s.pod.uid"])
	}
	m := r.Scrape(t).In(container)
	assert.Equal(t, 2, m.Int(failedMetric, nil))
	assert.Len(t, m.Series(failedMetric), 1, "one series for the whole container")
}

// A socket without a known owner still has a container.
func TestPacketDropOfContainerIsCountedThere(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	container := testhost.NewContainer(t)
	s := newClientServer(t, traffic.In(container))
	rule := s.left.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_UDP, Port: closedPort})
	socket := s.client.OpenUDP(traffic.Addr(netip.IPv4Unspecified(), 0))
	const count, size = 1000, 100
	s.client.SendMany(socket.FD, traffic.Addr(testnet.Right.IPv4, closedPort), size, count)
	require.Equal(t, count, rule.Packets(t))
	m := r.Scrape(t).In(container)
	series := dropSeries("netfilter_drop", "ipv4")
	assert.Equal(t, []testreceiver.Series{{Attributes: series, Value: count}}, m.Series("ebpf.packet.drops"))
	assert.Equal(t, rule.Bytes(t), m.Int("ebpf.packet.drop.io", series))
}

// The series of a container end soon after its last counts were read. The counts of other removed cgroups stay.
func TestSeriesGoWithTheirContainer(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "collection_interval: 200ms\nexclude: {cidrs: "+testreceiver.AllBut(testnet.Prefix4)+"}\n"+bothPrograms)
	ns := testnet.NewNamespace(t)
	ns.AddAddress(t, "lo", testnet.Prefix4)
	closed := traffic.Addr(testnet.Prefix4.Addr(), closedPort)
	host := func(m testreceiver.Scrape) int { return m.Int(failedMetric, nil) }

	container, ordinary := testhost.NewContainer(t), testhost.NewCgroup(t)
	for i, group := range []*testhost.Cgroup{container, ordinary, ordinary} {
		a := traffic.Start(t, ns, traffic.In(group))
		a.Connect(closed)
		a.Exit()
		require.Equal(t, i+1, host(r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return host(m) == i+1 })))
	}
	require.Equal(t, 1, r.Scrape(t).In(container).Int(failedMetric, nil))
	container.Remove(t)
	ordinary.Remove(t)

	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return host(m) == 2 })
	assert.Equal(t, 2, host(m), "%v", m.Series(failedMetric))
	assert.Empty(t, m.In(container).Series(failedMetric))
	for range 5 {
		assert.Equal(t, 2, host(r.Scrape(t)), "the host keeps its counts, although their map entries are removed")
	}
}

// Without the resource attributes that distinguish containers, their counts are added to the host's series, which does
// not fall when containers end.
func TestSeriesWithoutContainerAttributes(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "collection_interval: 200ms\nexclude: {cidrs: "+testreceiver.AllBut(testnet.Prefix4)+"}\n"+
		"resource_attributes: {container.id: {enabled: false}, k8s.pod.uid: {enabled: false}, process.linux.cgroup: {enabled: false}}\n"+bothPrograms)
	ns := testnet.NewNamespace(t)
	ns.AddAddress(t, "lo", testnet.Prefix4)
	closed := traffic.Addr(testnet.Prefix4.Addr(), closedPort)
	failures := []testreceiver.Series{{Attributes: testreceiver.Attributes{
		"network.transport": "tcp", "network.type": "ipv4", "error.type": "refused", causeKey: "reset_by_peer",
	}}}
	groups := []*testhost.Cgroup{testhost.NewContainer(t), testhost.NewContainer(t), testhost.NewCgroup(t)}
	for _, group := range groups {
		a := traffic.Start(t, ns, traffic.In(group))
		a.Connect(closed)
		a.Exit()
		failures[0].Value++
	}
	counted := func(m testreceiver.Scrape) bool { return m.Int(failedMetric, nil) >= len(groups) }
	assert.Equal(t, failures, r.ScrapeUntil(t, counted).Series(failedMetric))
	for _, e := range r.Events.Matching(testreceiver.Named("ebpf.connection.connect")) {
		assert.Empty(t, e.Resource)
	}
	for _, group := range groups {
		group.Remove(t)
	}
	for range 10 {
		assert.Equal(t, failures, r.Scrape(t).Series(failedMetric), "a sum must not fall")
	}
}

// A connection that is passed on to another container is active where it was opened, until it is closed in the other one. The
// bytes and the duration are those of the container that closes it.
func TestActiveConnectionIsPassedToAnotherContainer(t *testing.T) {
	testnet.Require(t)
	giving, taking := testhost.NewContainer(t), testhost.NewContainer(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp]}}")
	ns := testnet.NewNamespace(t)
	server, giver, taker := traffic.Start(t, ns), traffic.Start(t, ns, traffic.In(giving)), traffic.Start(t, ns, traffic.In(taking))
	listener := server.Listen(traffic.Addr(testnet.Loopback4, 0))
	c := giver.Connect(listener.Local)
	accepted := server.Accept(listener.FD)
	fd := taker.Take(giver, c.FD)
	giver.Close(c.FD)
	taker.Send(fd, 1000)
	server.Receive(accepted.FD, 1000)
	acknowledgeAll(t, taker, fd)
	m := scrapeBytes(t, r, 1000, giving, taking)
	assert.Equal(t, 1, m.In(giving).Int(activeMetric, tcp("ipv4", "client")))
	assert.Empty(t, m.In(taking).Series(activeMetric))

	closeInTurn(taker, fd, server, accepted.FD)
	r.Wait(t, 1, testreceiver.Named(closeEvent), testreceiver.OfProcess(taker.PID))
	m = r.Scrape(t)
	assert.Zero(t, m.In(giving).Int(activeMetric, tcp("ipv4", "client")))
	assert.Zero(t, m.In(taking).Int(activeMetric, tcp("ipv4", "client")))
	// At the first scrape its owner was still the one who had opened it.
	assert.Equal(t, 1000, m.In(giving).Int(ioMetric, testreceiver.Attributes{"network.io.direction": "transmit"}))
	assert.Zero(t, m.In(taking).Int(ioMetric, nil))
}
