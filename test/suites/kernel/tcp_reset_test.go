// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	resetsMetric   = "ebpf.tcp.resets"
	resetReasonKey = "ebpf.tcp.reset.reason"
	directionKey   = "network.io.direction"
)

// reset returns the attributes of a reset in one direction, with the state of the socket.
func reset(direction, state string) attributes {
	return attributes{directionKey: direction, "network.connection.state": state}
}

// onWire returns the attributes of a reset without a connection.
func onWire(from, to netip.AddrPort, ns *testnet.Namespace) attributes {
	return attributes{
		"network.transport": "tcp", "network.type": networkType(from.Addr()), directionKey: "transmit", resetReasonKey: "no_socket",
		"source.address": from.Addr().Unmap().String(), "source.port": int64(from.Port()),
		"destination.address": to.Addr().Unmap().String(), "destination.port": int64(to.Port()),
		"ebpf.network.namespace": int64(ns.Inode),
	}
}

// A closed port has no socket that could own the reset: the events are the client's and those of a host that refuses.
func TestTCPResetOfClosedPort(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families[:3] {
		t.Run(f.name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			from, to := traffic.Addr(f.clientAddress(), 40001), traffic.Addr(f.dial, closedPort)
			c := s.client.OnThread("dialer").ConnectFrom(from, to)
			require.Equal(t, unix.ECONNREFUSED, c.Errno)

			r.Wait(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.left))
			r.Settle(t)
			received := r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.left))[0]
			check(t, received, resetEvent, plog.SeverityNumberWarn, connection("tcp", "client", from, to, c.Cookie, s.left).
				with(owner(s.client.OnThread("dialer"), "socket")).with(reset("receive", "syn_sent")))
			within(t, received, c.Start, c.End)
			assert.Equal(t, container.ContainerID, received.Resource["container.id"])
			assert.Equal(t, 1, r.Scrape(t).In(container).Int(resetsMetric, tcp(f.networkType, "client").With(directionKey, "receive")))
			if !kernelSays().resetReasons {
				assert.Empty(t, r.Events.Matching(testreceiver.Named(resetEvent), testreceiver.InNamespace(s.right)))
				return
			}
			sent := r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.right))[0]
			want := connection("tcp", "server", from, to, 0, s.right).with(attributes{directionKey: "transmit", resetReasonKey: "no_socket"})
			delete(want, cookieKey)
			check(t, sent, resetEvent, plog.SeverityNumberWarn, want)
			within(t, sent, c.Start, c.End)
			assert.Empty(t, sent.Resource, "nobody's")
		})
	}
}

// Each side of a connection that is reset has one event of the socket's own process, although the socket is closed.
func TestTCPReset(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			p := s.establish(t, f)
			before := time.Now()
			s.server.Reset(p.server.FD)
			require.Equal(t, unix.ECONNRESET, s.client.Receive(p.client.FD, 1).Errno)
			after := time.Now()

			events := r.Exactly(t, 2, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.left, s.right))
			client := only(t, events, resetEvent, s.client)
			server := r.Events.Matching(testreceiver.Named(resetEvent), testreceiver.InNamespace(s.right))[0]
			check(t, client, resetEvent, plog.SeverityNumberWarn,
				connection("tcp", "client", p.client.Local, p.server.Local, p.client.Cookie, s.left).
					with(owner(s.client.OnThread("dialer"), "socket")).with(reset("receive", "established")))
			sent := connection("tcp", "server", p.client.Local, p.server.Local, p.server.Cookie, s.right).
				with(owner(s.server.OnThread("listener"), "socket")).with(reset("transmit", "closed"))
			var measured []string
			if kernelSays().resetReasons {
				// The reason differs between kernels.
				assert.Contains(t, []any{"not_specified", "tcp_state"}, server.Attributes[resetReasonKey])
				measured = append(measured, resetReasonKey)
			}
			check(t, server, resetEvent, plog.SeverityNumberWarn, sent, measured...)
			for _, e := range events {
				within(t, e, before, after)
				assert.Equal(t, container.ContainerID, e.Resource["container.id"])
			}
			m := r.Scrape(t).In(container)
			transmitted := tcp(f.networkType, "server").With(directionKey, "transmit")
			if reason, ok := server.Attributes[resetReasonKey].(string); ok {
				transmitted = transmitted.With(resetReasonKey, reason)
			}
			assert.Equal(t, 1, m.Int(resetsMetric, transmitted), "%v", m.Series(resetsMetric))
			assert.Equal(t, 1, m.Int(resetsMetric, tcp(f.networkType, "client").With(directionKey, "receive")))
			assert.Equal(t, 2, m.Int(resetsMetric, nil), "%v", m.Series(resetsMetric))
		})
	}
}

// The kernel resets a connection that is closed before all of it was read.
func TestTCPResetOfUnreadBytes(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	s := newClientServer(t)
	p := s.establish(t, families[0])
	s.client.Send(p.client.FD, 10)
	require.True(t, testreceiver.Eventually(func() bool { return s.server.Info(p.server.FD).BytesReceived == 10 }))
	s.server.Close(p.server.FD)
	r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.left))
	e := r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.right))[0]
	var measured []string
	if kernelSays().resetReasons {
		assert.Contains(t, []any{"not_specified", "tcp_abort_on_close"}, e.Attributes[resetReasonKey])
		measured = append(measured, resetReasonKey)
	}
	check(t, e, resetEvent, plog.SeverityNumberWarn,
		connection("tcp", "server", p.client.Local, p.server.Local, p.server.Cookie, s.right).
			with(owner(s.server.OnThread("listener"), "socket")).with(reset("transmit", "closed")), measured...)
}

// Segments for a closed connection are answered by a TIME_WAIT socket. The event still belongs to the process that closed.
func TestTCPResetAfterClose(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families[:2] {
		container := testhost.NewContainer(t)
		s := newClientServer(t, traffic.In(container))
		p := s.establish(t, f)
		sent := s.server.Info(p.server.FD).SegmentsSent
		s.client.Close(p.client.FD)
		s.server.ReceiveEOF(p.server.FD)
		// The TIME_WAIT socket replaces the full one when the FIN is acknowledged.
		require.True(t, testreceiver.Eventually(func() bool { return s.server.Info(p.server.FD).SegmentsSent > sent }))
		before := time.Now()
		s.server.Send(p.server.FD, 10)
		r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.right), testreceiver.With(directionKey, "receive"))
		after := time.Now()

		m, resets := r.Scrape(t).In(container), tcp(f.networkType, "client").With(directionKey, "transmit")
		if !kernelSays().resetReasons {
			assert.Empty(t, r.Events.Matching(testreceiver.Named(resetEvent), testreceiver.InNamespace(s.left)))
			assert.Zero(t, m.Int(resetsMetric, resets))
			continue
		}
		e := r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.left))[0]
		check(t, e, resetEvent, plog.SeverityNumberWarn,
			connection("tcp", "client", p.client.Local, p.server.Local, p.client.Cookie, s.left).
				with(owner(s.client.OnThread("dialer"), "socket")).with(reset("transmit", "time_wait")), resetReasonKey)
		within(t, e, before, after)
		assert.Equal(t, resource(container), e.Resource)
		assert.Equal(t, 1, m.Int(resetsMetric, resets))
	}
}

// Only one side still knows the connection. The other host has no socket for it, and cannot know who is the client.
func TestTCPResetOfForgottenConnection(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families[:2] {
		s := newClientServer(t)
		p := s.establish(t, f)
		s.left.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: rstFlag, First: 1})
		s.server.Close(p.listener.FD)
		s.server.Reset(p.server.FD)
		s.client.Send(p.client.FD, 10)
		require.Equal(t, unix.ECONNRESET, s.client.Receive(p.client.FD, 1).Errno)

		r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.right), testreceiver.With("network.connection.state", "closed"))
		r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.OfProcess(s.client.PID))
		if !kernelSays().resetReasons {
			r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.right)) // that of the first connection
			continue
		}
		forgotten := r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(s.right), testreceiver.With(resetReasonKey, "no_socket"))[0]
		check(t, forgotten, resetEvent, plog.SeverityNumberWarn,
			onWire(p.server.Local, p.client.Local, s.right))
	}
}

// A listener answers with its own socket for a connection that its host no longer knows.
func TestTCPResetByListener(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families {
		s := newClientServer(t)
		p := s.establish(t, f)
		s.left.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: rstFlag, First: 1})
		s.server.Reset(p.server.FD)
		s.client.Send(p.client.FD, 10)
		require.Equal(t, unix.ECONNRESET, s.client.Receive(p.client.FD, 1).Errno)

		r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.OfProcess(s.client.PID))
		e := r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.OfProcess(s.server.PID), testreceiver.With("network.connection.state", "listen"))[0]
		want := connection("tcp", "server", p.client.Local, p.server.Local, p.listener.Cookie, s.right).
			with(owner(s.server.OnThread("listener"), "socket")).with(reset("transmit", "listen"))
		var measured []string
		if kernelSays().resetReasons {
			measured = append(measured, resetReasonKey)
		}
		check(t, e, resetEvent, plog.SeverityNumberWarn, want, measured...)
	}
}

// Excluded traffic is in neither events nor metrics: one side, if excluded by its executable, or both, if excluded by an
// address.
func TestTCPSegmentsThatAreLeftOut(t *testing.T) {
	testnet.Require(t)
	for name, tt := range map[string]struct {
		exclude        string
		client, server bool
	}{
		"nothing":         {"{}", true, true},
		"the executable":  {"{executables: [kernel-test-client]}", false, true},
		"the other one's": {"{executables: [kernel-test-server]}", true, false},
		"the address":     {"{cidrs: [198.18.0.2/32]}", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := testreceiver.Start(t, "exclude: "+tt.exclude+"\nprograms: {tcp: {}, connection: {}}")
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			p := s.establish(t, families[0])
			exchange(t, s.client, p.client.FD, s.server, p.server.FD, 100)
			s.server.Reset(p.server.FD)
			require.Equal(t, unix.ECONNRESET, s.client.Receive(p.client.FD, 1).Errno)
			r.Settle(t)
			m := r.Scrape(t).In(container)
			for role, side := range map[string]struct {
				ns        *testnet.Namespace
				direction string
				seen      bool
			}{"client": {s.left, "receive", tt.client}, "server": {s.right, "transmit", tt.server}} {
				want := 0
				if side.seen {
					want = 1
				}
				assert.Len(t, r.Events.Matching(testreceiver.Named(resetEvent), testreceiver.InNamespace(side.ns)), want, role)
				assert.Equal(t, want, m.Int(resetsMetric, tcp("ipv4", role).With(directionKey, side.direction)), role)
				_, ok := m.Histogram(rttMetric, tcp("ipv4", role))
				assert.Equal(t, side.seen, ok, role)
			}
		})
	}
}

// Rate-limited events are counted, and the metrics are complete.
func TestTCPEventLimit(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {tcp: {event_limit: 5}}")
	container := testhost.NewContainer(t)
	s := newClientServer(t, traffic.In(container))
	const count = 200
	for range count {
		c := s.client.Connect(traffic.Addr(testnet.Right.IPv4, closedPort))
		require.Equal(t, unix.ECONNREFUSED, c.Errno)
		s.client.Close(c.FD)
	}
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.In(container).Int(resetsMetric, nil) >= count })
	assert.Equal(t, count, m.In(container).Int(resetsMetric, nil))
	// Events of both ends, whether delivered or rate-limited. Other connections of the host may be reset meanwhile.
	delivered := m.Int("ebpf.event.delivered", testreceiver.Attributes{"ebpf.program.name": "tcp"})
	held := lost(m, "tcp")
	assert.Positive(t, delivered)
	assert.Equal(t, map[string]int{"rate_limit": m.Int(resetsMetric, nil) + m.Int(retransmitsMetric, nil) - delivered}, held)
}

// A program that is not configured attaches nothing and has no metrics.
func TestTCPIsOffByDefault(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {}, packet_drop: {}}")
	s := newClientServer(t)
	s.client.Connect(traffic.Addr(testnet.Right.IPv4, closedPort))
	r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.OfProcess(s.client.PID))
	assert.Empty(t, r.Events.Matching(testreceiver.Named(resetEvent, retransmitEvent)))
	m := r.Scrape(t)
	for _, name := range []string{resetsMetric, retransmitsMetric, rttMetric} {
		assert.Empty(t, m.Find(name))
	}
}
