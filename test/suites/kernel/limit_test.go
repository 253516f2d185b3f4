// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// lost returns a program's values of ebpf.event.lost by cause.
func lost(m testreceiver.Scrape, program string) map[string]int {
	found := map[string]int{}
	for _, s := range m.Series("ebpf.event.lost") {
		if s.Attributes["ebpf.program.name"] == program && s.Value > 0 {
			found[s.Attributes["ebpf.loss.cause"]] += s.Value
		}
	}
	return found
}

// In a storm the limit holds, events over it are counted, and the metrics include every packet.
func TestPacketDropEventLimit(t *testing.T) {
	testnet.Require(t)
	const limit, count, size = 100, 50_000, 64
	r := testreceiver.Start(t, fmt.Sprintf("exclude: {cidrs: %s}\nprograms: {packet_drop: {event_limit: %d}}", testreceiver.AllBut(testnet.Prefix4), limit))
	s := newClientServer(t)
	socket := s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	// The socket is not connected: on a connected socket, ICMP answers would make the next send fail.
	sent := s.client.SendMany(socket.FD, traffic.Addr(testnet.Right.IPv4, closedPort), size, count)
	require.Equal(t, count, sent.Count)

	series := dropSeries("no_socket", "ipv4")
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.Int("ebpf.packet.drops", series) >= count })
	assert.Equal(t, count, m.Int("ebpf.packet.drops", series))
	assert.Equal(t, count*(ipv4Header+udpHeader+size), m.Int("ebpf.packet.drop.io", series))

	heldBack := lost(m, "packet_drop")
	total := m.Int("ebpf.packet.drops", nil)
	require.True(t, testreceiver.Eventually(func() bool {
		return len(r.Events.Matching(testreceiver.Named(dropEvent)))+heldBack["rate_limit"] >= total
	}), "%d delivered, %v lost, of %d", len(r.Events.Matching(testreceiver.Named(dropEvent))), heldBack, total)
	delivered := len(r.Events.Matching(testreceiver.Named(dropEvent)))
	assert.Equal(t, map[string]int{"rate_limit": total - delivered}, heldBack, "there are no other losses")
	seconds := int(math.Ceil(sent.Duration().Seconds()))
	assert.LessOrEqual(t, delivered, limit*(seconds+1), "in %s", sent.Duration())
	assert.GreaterOrEqual(t, delivered, limit)
	assert.Equal(t, delivered, r.Scrape(t).Int("ebpf.event.delivered", testreceiver.Attributes{"ebpf.program.name": "packet_drop"}))
}

// The limit of one program does not affect other programs.
func TestEventLimitIsPerProgram(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, fmt.Sprintf("exclude: {cidrs: %s}\nprograms: {connection: {}, packet_drop: {event_limit: 1}}", testreceiver.AllBut(testnet.Prefix4)))
	s := newClientServer(t)
	const count = 200
	for range count {
		s.client.Close(s.client.Connect(traffic.Addr(testnet.Right.IPv4, closedPort)).FD)
	}
	r.Wait(t, count, testreceiver.Named(connectEvent), testreceiver.OfProcess(s.client.PID))
	m := r.Scrape(t)
	assert.Empty(t, lost(m, "connection"))
	drops := m.Int("ebpf.packet.drops", testreceiver.Attributes{"network.transport": "tcp"})
	assert.Equal(t, count, drops, "each SYN to a closed port is a drop")
	assert.Equal(t, drops-len(r.Events.Matching(testreceiver.Named(dropEvent))), lost(m, "packet_drop")["rate_limit"])
}

// The limit of connection events does not change the metrics.
func TestConnectionEventLimit(t *testing.T) {
	testnet.Require(t)
	const limit, count = 50, 2000
	r := testreceiver.Start(t, fmt.Sprintf("exclude: {cidrs: %s}\nprograms: {connection: {event_limit: %d}}", testreceiver.AllBut(testnet.Prefix4), limit))
	s := newClientServer(t)
	listener := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	s.server.Serve(listener.FD, count)
	span := s.client.Flood(listener.Local, count, 10)
	require.Equal(t, count, s.server.Served(listener.FD))

	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.Int(activeMetric, nil) == 0 })
	for _, role := range []string{"client", "server"} {
		assert.Equal(t, count, m.Int(openedMetric, tcp("ipv4", role)))
	}
	heldBack := lost(m, "connection")
	require.True(t, testreceiver.Eventually(func() bool {
		return len(r.Events.Matching(testreceiver.Named(connectEvent, acceptEvent, closeEvent)))+heldBack["rate_limit"] >= 4*count
	}))
	delivered := len(r.Events.Matching(testreceiver.Named(connectEvent, acceptEvent, closeEvent)))
	assert.Equal(t, map[string]int{"rate_limit": 4*count - delivered}, heldBack)
	const shares = 3 * (limit/32 + 1) // of the three events, which may come on top
	assert.LessOrEqual(t, delivered, (limit+shares)*(int(math.Ceil(span.Duration().Seconds()))+1))
}

// In a storm of drops for one reason, drops for other reasons are still reported.
func TestPacketDropEventLimitOfReasons(t *testing.T) {
	testnet.Require(t)
	const limit, count, few = 320, 200_000, 5
	r := testreceiver.Start(t, fmt.Sprintf("programs: {packet_drop: {event_limit: %d}}", limit))
	s := newClientServer(t)
	storm := s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.client.SendMany(storm.FD, traffic.Addr(testnet.Right.IPv4, closedPort), 64, count)
	}()
	r.Wait(t, limit, testreceiver.Named(dropEvent), testreceiver.InNamespace(s.right))
	const port = 7903
	rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_UDP, Port: port})
	other := traffic.Start(t, s.left)
	socket := other.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	other.SendMany(socket.FD, traffic.Addr(testnet.Right.IPv4, port), 64, few)
	events := r.Wait(t, few, testreceiver.Named(dropEvent), testreceiver.InNamespace(s.right), testreceiver.With("destination.port", int64(port)))
	assert.Len(t, events, few)
	assert.Equal(t, few, rule.Packets(t))
	<-done
}
