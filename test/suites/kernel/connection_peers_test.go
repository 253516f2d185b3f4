// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"maps"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// byPeer adds the server's attributes to the metrics of connection and tcp.
const byPeer = `
metrics:
  ebpf.connection.opened: {attributes: [ebpf.connection.role, server.address, server.port, otel.metric.overflow]}
  ebpf.connection.active: {attributes: [ebpf.connection.role, server.address]}
  ebpf.connection.failed: {attributes: [ebpf.connection.cause, server.address, server.port]}
  ebpf.connection.io: {attributes: [ebpf.connection.role, network.io.direction, server.port, server.address]}
  ebpf.tcp.resets: {attributes: [network.io.direction, server.address, server.port]}
`

// serverSeries are the attributes of one server's series.
func serverSeries(server netip.AddrPort, more testreceiver.Attributes) testreceiver.Attributes {
	series := testreceiver.Attributes{"server.address": server.Addr().String(), "server.port": strconv.Itoa(int(server.Port()))}
	maps.Copy(series, more)
	return series
}

// Metrics that list the server's attributes have a series per server. The other metrics do not change.
func TestConnectionMetricsByPeer(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {}, tcp: {events: false}}"+byPeer)
	clients, servers := testhost.NewContainer(t), testhost.NewContainer(t)
	s := clientServer{left: testnet.NewNamespace(t), right: testnet.NewNamespace(t)}
	testnet.Join(t, s.left, s.right)
	s.client, s.server = traffic.Start(t, s.left, traffic.In(clients)), traffic.Start(t, s.right, traffic.In(servers))
	first, second, open := s.establish(t, families[0]), s.establish(t, families[1]), s.establish(t, families[0])
	exchange(t, s.client, first.client.FD, s.server, first.server.FD, 1000)
	exchange(t, s.client, second.client.FD, s.server, second.server.FD, 500)
	exchange(t, s.client, open.client.FD, s.server, open.server.FD, 200)
	acknowledgeAll(t, s.client, open.client.FD)
	closeInTurn(s.client, first.client.FD, s.server, first.server.FD)
	closeInTurn(s.client, second.client.FD, s.server, second.server.FD)
	closed := traffic.Addr(testnet.Right.IPv4, closedPort)
	for range 3 {
		require.Equal(t, unix.ECONNREFUSED, s.client.Connect(closed).Errno)
	}
	r.Exactly(t, 3+2+3, testreceiver.OfProcess(s.client.PID))
	const backlog = 7
	listener := s.server.ListenWithBacklog(traffic.Addr(testnet.Right.IPv4, 0), backlog)

	m := scrapeBytes(t, r, 2*1700, clients, servers)
	role := testreceiver.Attributes{"ebpf.connection.role": "client"}
	client, server := m.In(clients), m.In(servers)
	assert.Equal(t, []testreceiver.Series{
		{Attributes: serverSeries(closed, testreceiver.Attributes{causeKey: "reset_by_peer"}), Value: 3},
	}, client.Series(failedMetric))
	for to, bytes := range map[netip.AddrPort]int{first.client.Remote: 1000, second.client.Remote: 500, open.client.Remote: 200} {
		assert.Equal(t, 1, client.Int(openedMetric, serverSeries(to, role)), "%v", to)
		assert.Equal(t, bytes, client.Int(ioMetric, serverSeries(to, role).With("network.io.direction", "transmit")), "%v", to)
		assert.Equal(t, 1, server.Int(openedMetric, serverSeries(to, testreceiver.Attributes{"ebpf.connection.role": "server"})), "%v", to)
	}
	assert.ElementsMatch(t, []testreceiver.Series{
		{Attributes: role.With("server.address", testnet.Right.IPv4.String()), Value: 1},
		{Attributes: role.With("server.address", testnet.Right.IPv6.String()), Value: 0},
	}, client.Series(activeMetric))
	assert.Equal(t, 3, client.Int("ebpf.tcp.resets", serverSeries(closed, testreceiver.Attributes{"network.io.direction": "receive"})))
	p, ok := client.Histogram(durationMetric, tcp("ipv4", "client"))
	require.True(t, ok)
	assert.EqualValues(t, 1, p.Count())
	assert.Equal(t, backlog, server.Int(limitMetric, serverSeries(listener.Local, nil)), "listeners have their addresses in any case")
}

// Connections to more servers than there is room for are counted in the overflow series.
func TestConnectionMetricsOfManyPeers(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [udp], events: false}}"+byPeer)
	s := newClientServer(t)
	socket := s.client.OpenUDP(traffic.Addr(netip.IPv4Unspecified(), 0))
	const hosts, ports, room = 2, 50_000, 65536
	for host := range hosts {
		s.client.SendToPorts(socket.FD, netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + host)}), 1000, ports)
	}
	m := r.Scrape(t)
	overflow := m.Int(openedMetric, testreceiver.Attributes{"otel.metric.overflow": "true"})
	assert.Equal(t, hosts*ports, m.Int(openedMetric, nil))
	assert.GreaterOrEqual(t, overflow, hosts*ports-room)
	assert.LessOrEqual(t, len(m.Series(openedMetric)), room)
	assert.Equal(t, map[string]int{"map_full": overflow}, lost(m, "connection"))
}
