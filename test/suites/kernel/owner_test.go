// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// preforked is a server whose parent listens and whose worker accepts.
type preforked struct {
	parent, worker *traffic.Agent
	listener       traffic.Socket
	shared         int
}

func newPreforked(t *testing.T, s clientServer) preforked {
	t.Helper()
	// As root, because sharing a descriptor takes the right to trace the other.
	p := preforked{
		parent: traffic.Start(t, s.right, traffic.Named("prefork-parent", "parent")),
		worker: traffic.Start(t, s.right, traffic.Named("prefork-worker", "worker")),
	}
	p.listener = p.parent.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	p.shared = p.worker.Take(p.parent, p.listener.FD)
	return p
}

// serve has the worker take one connection to its end.
func (p preforked) serve(s clientServer) {
	c := s.client.Connect(p.listener.Local)
	a := p.worker.Accept(p.shared)
	closeInTurn(s.client, c.FD, p.worker, a.FD)
}

func TestConnectionOfPreforkedServer(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	p := newPreforked(t, s)
	p.serve(s)

	events := r.Exactly(t, 2, testreceiver.OfProcess(p.parent.PID, p.worker.PID))
	for _, name := range []string{acceptEvent, closeEvent} {
		e := only(t, events, name, p.parent)
		assert.Equal(t, "prefork-parent", e.Attributes["process.executable.name"])
		assert.Equal(t, "parent", e.Attributes["thread.name"])
		assert.Equal(t, "socket", e.Attributes["ebpf.attribution"])
	}

	// The parent owns the listener while the listener is open, whichever process keeps it open.
	p.parent.Exit()
	p.serve(s)
	r.Exactly(t, 4, testreceiver.OfProcess(p.parent.PID, p.worker.PID))
	assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(p.worker.PID)))
}

// A listener older than the receiver has an owner, too.
func TestConnectionsOfListenersOlderThanTheReceiver(t *testing.T) {
	testnet.Require(t)
	s := newClientServer(t)
	p := newPreforked(t, s)
	ipv4 := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	ipv6 := s.server.Listen(traffic.Addr(testnet.Right.IPv6, 0))
	listeners := map[string]traffic.Socket{"IPv4": ipv4, "IPv6": ipv6}
	if testnet.HasMPTCP() {
		listeners["MPTCP"] = s.server.ListenMPTCP(traffic.Addr(testnet.Right.IPv4, 0))
	}
	web := s.server.ServeHTTP(traffic.Addr(testnet.Right.IPv4, 0))
	require.Equal(t, testnet.HasMPTCP(), web.MPTCP, "the test wants an MPTCP listener")

	r := testreceiver.Start(t, onlyConnection)
	for name, l := range listeners {
		t.Run(name, func(t *testing.T) {
			c := s.client.Connect(l.Local)
			accepted := s.server.Accept(l.FD)
			events := r.Exactly(t, 1, testreceiver.OfProcess(s.server.PID), testreceiver.With("server.port", int64(l.Local.Port())))
			want := connection("tcp", "server", c.Local, l.Local, accepted.Cookie, s.right).
				with(owner(s.server, "socket"))
			check(t, events[0], acceptEvent, plog.SeverityNumberInfo, want)
			closeInTurn(s.server, accepted.FD, s.client, c.FD)
			r.Exactly(t, 1, testreceiver.Named(closeEvent), testreceiver.OfProcess(s.server.PID), testreceiver.With("server.port", int64(l.Local.Port())))
		})
	}
	t.Run("both ends MPTCP", func(t *testing.T) {
		testnet.RequireMPTCP(t)
		mptcp := listeners["MPTCP"]
		c := s.client.ConnectMPTCP(mptcp.Local)
		accepted := s.server.Accept(mptcp.FD)
		require.Equal(t, unix.IPPROTO_MPTCP, accepted.Protocol)
		r.Exactly(t, 1, testreceiver.Named(acceptEvent), testreceiver.OfProcess(s.server.PID), testreceiver.With("client.port", int64(c.Local.Port())))
	})
	t.Run("Go server", func(t *testing.T) {
		s.client.GetHTTP(web.Address, 3)
		r.Exactly(t, 6, testreceiver.OfProcess(s.server.PID), testreceiver.With("server.port", int64(web.Address.Port())))
	})
	t.Run("preforked", func(t *testing.T) {
		p.serve(s)
		r.Exactly(t, 2, testreceiver.OfProcess(p.parent.PID))
		assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(p.worker.PID)))
	})
}

// Connections older than the receiver are counted as active, and their close events are complete.
func TestConnectionsOlderThanTheReceiver(t *testing.T) {
	testnet.Require(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			p := s.establish(t, f)
			exchange(t, s.client, p.client.FD, s.server, p.server.FD, 100)

			r := testreceiver.Start(t, onlyConnection)
			metrics := r.Scrape(t).In(container)
			for _, role := range []string{"client", "server"} {
				series := testreceiver.Attributes{"network.transport": "tcp", "network.type": f.networkType, "ebpf.connection.role": role}
				assert.Equal(t, 1, metrics.Int("ebpf.connection.active", series), role)
				assert.Equal(t, 0, metrics.Int("ebpf.connection.opened", series), "it was opened before")
			}

			exchange(t, s.server, p.server.FD, s.client, p.client.FD, 200)
			first, second := closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
			events := r.Exactly(t, 2, testreceiver.OfProcess(s.client.PID, s.server.PID))

			closed := only(t, events, closeEvent, s.client)
			check(t, closed, closeEvent, plog.SeverityNumberInfo,
				connection("tcp", "client", p.client.Local, p.client.Remote, p.client.Cookie, s.left).
					with(owner(s.client, "socket")).
					with(attributes{"ebpf.connection.bytes_sent": int64(100), "ebpf.connection.bytes_received": int64(200), retransmitsKey: int64(0)}),
				rttKey, rttMinKey)
			within(t, closed, first.Start, second.End)
			closed = only(t, events, closeEvent, s.server)
			check(t, closed, closeEvent, plog.SeverityNumberInfo,
				connection("tcp", "server", p.client.Local, p.client.Remote, p.server.Cookie, s.right).
					with(owner(s.server, "socket")).
					with(attributes{"ebpf.connection.bytes_sent": int64(200), "ebpf.connection.bytes_received": int64(100), retransmitsKey: int64(0)}),
				rttKey, rttMinKey)
			assert.Equal(t, 0, r.Scrape(t).In(container).Int("ebpf.connection.active", nil), "none is left")
		})
	}
}
