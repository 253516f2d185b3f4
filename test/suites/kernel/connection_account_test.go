// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	busyKey     = "ebpf.connection.busy.duration"
	windowKey   = "ebpf.connection.receive_window_limited.duration"
	bufferKey   = "ebpf.connection.send_buffer_limited.duration"
	disorderKey = "ebpf.connection.out_of_order"
	twiceKey    = "ebpf.connection.duplicates"
	closedKey   = "ebpf.connection.zero_windows"
	stateKey    = "ebpf.connection.congestion.state"
)

// A close says who was slow: here the server, which does not read for a second. The account is that of TCP_INFO.
func TestConnectionLimitedByTheReceiver(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	var want traffic.Info
	for range 2 { // the rate of jiffies is known by the second one
		p := s.establish(t, families[0])
		s.server.SetOption(p.server.FD, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
		s.client.SetOption(p.client.FD, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20)
		const size = 100_000
		s.client.Send(p.client.FD, size)
		time.Sleep(time.Second)
		require.Equal(t, size, s.server.Receive(p.server.FD, size).Bytes)
		acknowledgeAll(t, s.client, p.client.FD)
		want = s.client.Info(p.client.FD)
		closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
	}
	closes := r.Exactly(t, 4, testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID, s.server.PID))
	slow := only(t, closes[2:], closeEvent, s.client)
	window, _ := slow.Attributes[windowKey].(float64)
	busy, _ := slow.Attributes[busyKey].(float64)
	lasted, _ := slow.Attributes[durationKey].(float64)
	assert.Positive(t, want.WindowLimited)
	assert.InDelta(t, want.WindowLimited.Seconds(), window, 0.02, "%s", slow)
	assert.InDelta(t, want.Busy.Seconds(), busy, 0.02, "%s", slow)
	assert.LessOrEqual(t, busy, lasted+0.02, "%s", slow)
	assert.NotContains(t, slow.Attributes, stateKey)
	if want.BufferLimited == 0 {
		assert.NotContains(t, slow.Attributes, bufferKey)
	}
	// The server has sent its FIN only, whose acknowledgement takes one round trip.
	servers, _ := only(t, closes[2:], closeEvent, s.server).Attributes[busyKey].(float64)
	assert.Less(t, servers, 0.05)
}

// A server that does not read closes its receive window. Each time that the client probes the closed window, it counts as one.
func TestConnectionZeroWindows(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	listener := s.server.Listen(traffic.Addr(families[0].listen, 0))
	s.server.SetOption(listener.FD, unix.SOL_SOCKET, unix.SO_RCVBUF, 32<<10)
	client := s.client.Connect(traffic.Addr(families[0].dial, listener.Local.Port()))
	require.Zero(t, client.Errno)
	server := s.server.Accept(listener.FD)
	s.client.SetOption(client.FD, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20)
	const size, times = 200_000, 2
	for range times {
		s.client.Send(client.FD, size)
		require.True(t, testreceiver.Eventually(func() bool { return s.client.Info(client.FD).Probes > 0 }), "the client does not probe")
		require.Equal(t, size, s.server.Receive(server.FD, size).Bytes)
		acknowledgeAll(t, s.client, client.FD)
	}
	closeInTurn(s.client, client.FD, s.server, server.FD)
	closes := r.Exactly(t, 2, testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID, s.server.PID))
	assert.NotContains(t, only(t, closes, closeEvent, s.server).Attributes, closedKey)
	if hasHook(r, "connection", "fentry/tcp_send_probe0") {
		assert.Equal(t, int64(times), only(t, closes, closeEvent, s.client).Attributes[closedKey])
	} else {
		assert.NotContains(t, only(t, closes, closeEvent, s.client).Attributes, closedKey)
	}
}

// hasHook reports whether a program is attached to a hook.
func hasHook(r *testreceiver.Receiver, program, hook string) bool {
	return len(r.Events.Matching(testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", program),
		testreceiver.With("ebpf.program.hook", hook), testreceiver.With("ebpf.program.state", "attached"))) > 0
}

// A segment whose acknowledgement is lost is sent twice. The peer reports the duplicate (D-SACK).
func TestConnectionDuplicates(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	p := s.establish(t, families[0])
	s.left.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, SourcePort: p.server.Local.Port(), First: 1})
	s.client.Send(p.client.FD, 100)
	s.server.Receive(p.server.FD, 100)
	acknowledgeAll(t, s.client, p.client.FD)
	want := s.client.Info(p.client.FD).Duplicates
	closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
	closes := r.Exactly(t, 2, testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID, s.server.PID))
	assert.Equal(t, 1, want)
	assert.Equal(t, int64(want), only(t, closes, closeEvent, s.client).Attributes[twiceKey])
	assert.NotContains(t, only(t, closes, closeEvent, s.server).Attributes, twiceKey)
}

// Segments that overtake a lost one are out of order.
func TestConnectionOutOfOrder(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	p := s.establish(t, families[1])
	s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: p.server.Local.Port(), First: 1})
	const count, size = 20, 100
	s.client.SendSegments(p.client.FD, size, count)
	require.Equal(t, count*size, s.server.Receive(p.server.FD, count*size).Bytes)
	closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
	closes := r.Exactly(t, 2, testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID, s.server.PID))
	disorder, _ := only(t, closes, closeEvent, s.server).Attributes[disorderKey].(int64)
	assert.Positive(t, disorder)
	assert.Less(t, disorder, int64(count))
	assert.NotContains(t, only(t, closes, closeEvent, s.client).Attributes, disorderKey)
}
