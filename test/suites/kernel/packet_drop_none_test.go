// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Buffers that sockets of other kinds discard are not packets.
func TestPacketDropsLeaveOutUnixAndNetlink(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	container := testhost.NewContainer(t)
	ns := testnet.NewNamespace(t)
	a := traffic.Start(t, ns, traffic.In(container))
	before := r.Scrape(t)
	a.DiscardUnix(5)
	a.DiscardNetlink(20)
	a.Exit()
	r.Settle(t)
	assert.Empty(t, r.Events.Matching(testreceiver.Named(dropEvent), testreceiver.OfProcess(a.PID)))
	assert.Empty(t, r.Events.Matching(unicastDrop, testreceiver.InNamespace(ns)))
	after := r.Scrape(t)
	assert.Empty(t, after.In(container).Series("ebpf.packet.drops"))
	for _, series := range after.Series("ebpf.packet.drops") {
		if series.Attributes["network.type"] == "" {
			assert.Equal(t, before.Int("ebpf.packet.drops", series.Attributes), series.Value, "drops of no known network: %v", series)
		}
	}
}

// lossOf selects drops that are losses in a connection. On a slow machine a FIN may be sent twice, and its second
// acknowledgement finds no connection. Kernels that do not name the receiving socket report that like a loss.
func lossOf(e testreceiver.Event) bool {
	location, _ := e.Attributes[locationKey].(string)
	late := !kernelSays().receiver && withFlags("ack")(e) && strings.HasPrefix(location, "tcp_v")
	return unicastDrop(e) && !late
}

// Connections that open and close in order lose nothing, whichever side closes first.
func TestPacketDropsLeaveOutOrdinaryCloses(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {}, packet_drop: {}}")
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			s := newClientServer(t)
			const each = 10
			for range each {
				p := s.establish(t, f)
				exchange(t, s.client, p.client.FD, s.server, p.server.FD, 100_000)
				closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
				p = s.establish(t, f)
				exchange(t, s.server, p.server.FD, s.client, p.client.FD, 100_000)
				closeInTurn(s.server, p.server.FD, s.client, p.client.FD)
			}
			r.Exactly(t, 2*each*4, testreceiver.OfProcess(s.client.PID, s.server.PID))
			assert.Empty(t, r.Events.Matching(lossOf, testreceiver.InNamespace(s.left, s.right)))
			s.client.Exit()
			s.server.Exit()
			r.Settle(t)
			assert.Empty(t, r.Events.Matching(lossOf, testreceiver.InNamespace(s.left, s.right)), "no loss when the processes end")
		})
	}
}

// Unread data in a closed socket was received, so it is not a drop.
func TestPacketDropsLeaveOutUnreadData(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	for _, f := range families[:3] {
		t.Run(f.name, func(t *testing.T) {
			s := newClientServer(t)
			const size, count = 1000, 10
			socket := s.server.OpenUDP(traffic.Addr(f.listen, 0))
			sender := s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			s.client.SendMany(sender.FD, traffic.Addr(f.dial, socket.Local.Port()), size, count)
			p := s.establish(t, f)
			s.client.Send(p.client.FD, size*count)
			// Read only the first byte and leave the rest unread. Once the TCP data has arrived, the datagrams have, too.
			require.Equal(t, 1, s.server.Receive(p.server.FD, 1).Bytes)
			s.server.Close(socket.FD)
			s.server.Close(p.server.FD)
			testhost.AwaitGracePeriods(t)
			r.Settle(t)
			// The drop of a datagram in a socket does not tell its namespace.
			sent := func(e testreceiver.Event) bool {
				source, destination := e.Attributes["source.port"], e.Attributes["destination.port"]
				return source == int64(sender.Local.Port()) && destination == int64(socket.Local.Port()) && e.Time.After(s.left.Born)
			}
			assert.Empty(t, r.Events.Matching(unicastDrop, sent))
			assert.Empty(t, r.Events.Matching(lossOf, testreceiver.InNamespace(s.left, s.right)))
		})
	}
}

// A connection for which the listener's queue has no room is lost in the function that also frees the last segments of
// connections. Older kernels give no reason for either.
func TestPacketDropAtFullListener(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			s := newClientServer(t)
			backlog := max(8, runtime.NumCPU()+1)
			listener := s.server.ListenWithBacklog(traffic.Addr(f.listen, 0), backlog)
			to := traffic.Addr(f.dial, listener.Local.Port())
			for range backlog {
				s.client.Connect(to)
			}
			// The queue has room for one more connection, so the kernel accepts further SYNs until a handshake completes.
			// Handshakes that complete on several CPUs at once may all find that room, so there are more of them than CPUs.
			const syn = 2
			rule := s.left.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: syn})
			for range backlog {
				s.client.StartConnect(to)
			}
			require.True(t, testreceiver.Eventually(func() bool { return rule.Packets(t) >= backlog }))
			rule.Remove(t)
			events := r.Wait(t, 1, unicastDrop, testreceiver.InNamespace(s.right), withFlags("ack"))
			for _, e := range events {
				assert.Equal(t, int64(listener.Local.Port()), e.Attributes["destination.port"])
				assert.Contains(t, e.Attributes[locationKey], "tcp_v")
			}
		})
	}
}
