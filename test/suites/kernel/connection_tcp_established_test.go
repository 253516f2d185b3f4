// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const onlyConnection = "programs: {connection: {}}"

func TestConnectionEstablished(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := newClientServer(t)
			p := s.establish(t, f)
			exchange(t, s.client, p.client.FD, s.server, p.server.FD, 1000)
			exchange(t, s.server, p.server.FD, s.client, p.client.FD, 5000)
			clientInfo, serverInfo := s.client.Info(p.client.FD), s.server.Info(p.server.FD)
			first, second := closeInTurn(s.client, p.client.FD, s.server, p.server.FD)

			events := r.Exactly(t, 4, testreceiver.OfProcess(s.client.PID, s.server.PID))
			// The addresses of both ends agree, whatever the family of the sockets.
			clientAddress, serverAddress := p.client.Local, p.client.Remote
			client := connection("tcp", "client", clientAddress, serverAddress, p.client.Cookie, s.left).
				with(owner(s.client.OnThread("dialer"), "socket"))
			// The owner is the listening process, not the one that accepts, and not one that happened to run.
			server := connection("tcp", "server", clientAddress, serverAddress, p.server.Cookie, s.right).
				with(owner(s.server.OnThread("listener"), "socket"))

			connect := only(t, events, connectEvent, s.client)
			check(t, connect, connectEvent, plog.SeverityNumberInfo, client, handshakeKey)
			assert.Equal(t, f.networkType, connect.Attributes["network.type"])
			within(t, connect, p.client.Start, p.client.End)
			between(t, connect, handshakeKey, 0, p.client.Duration())

			accept := only(t, events, acceptEvent, s.server)
			check(t, accept, acceptEvent, plog.SeverityNumberInfo, server)
			within(t, accept, p.client.Start, p.server.End)

			// The RTT estimate may change by one more sample, an eighth of its value, after the process has read it and
			// before the close.
			lastSample := second.End.Sub(first.Start) / 8
			for _, side := range []struct {
				agent          *traffic.Agent
				want           attributes
				sent, received int64
				opened         time.Time
				info           traffic.Info
			}{
				{s.client, client, 1000, 5000, p.client.End, clientInfo},
				{s.server, server, 5000, 1000, p.server.End, serverInfo},
			} {
				closed := only(t, events, closeEvent, side.agent)
				check(t, closed, closeEvent, plog.SeverityNumberInfo, side.want.with(attributes{
					"ebpf.connection.bytes_sent": side.sent, "ebpf.connection.bytes_received": side.received, retransmitsKey: int64(0),
				}), durationKey, rttKey, rttMinKey)
				between(t, closed, durationKey, first.Start.Sub(side.opened), second.End.Sub(p.client.Start))
				between(t, closed, rttKey, 0, 4*side.info.RTT+lastSample)
				between(t, closed, rttMinKey, 0, side.info.MinRTT)
				within(t, closed, first.Start, second.End)
			}
		})
	}
}

func TestConnectionOnLoopbackHasBothSides(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	ns := testnet.NewNamespace(t)
	// With one process on both sides, role and cookie distinguish them.
	a := traffic.Start(t, ns)
	listener := a.Listen(traffic.Addr(testnet.Loopback6, 0))
	c := a.Connect(listener.Local)
	s := a.Accept(listener.FD)
	closeInTurn(a, c.FD, a, s.FD)

	r.Exactly(t, 4, testreceiver.OfProcess(a.PID))
	for cookie, role := range map[uint64]string{c.Cookie: "client", s.Cookie: "server"} {
		events := r.Events.Matching(testreceiver.OfProcess(a.PID), testreceiver.With("ebpf.connection.role", role))
		assert.Len(t, events, 2)
		for _, e := range events {
			if have, numbered := e.Attributes[cookieKey]; numbered || kernelSays().numbers {
				assert.Equal(t, int64(cookie), have)
			}
			assert.Equal(t, int64(c.Local.Port()), e.Attributes["client.port"])
			assert.Equal(t, int64(listener.Local.Port()), e.Attributes["server.port"])
		}
	}
}

// The transport is that of the socket, not the one that the port suggests.
func TestConnectionToDNSPortIsTCP(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	listener := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 53))
	s.client.Connect(listener.Local)
	for _, e := range r.Exactly(t, 2, testreceiver.OfProcess(s.client.PID, s.server.PID)) {
		assert.Equal(t, "tcp", e.Attributes["network.transport"])
		assert.Equal(t, int64(53), e.Attributes["server.port"])
	}
}

// An event has the id of the process, not that of its thread (which the kernel calls pid).
func TestConnectionOfThreadIsItsProcess(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	listener := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	for _, thread := range []string{"first", "second", "a-name-of-15-ch"} {
		s.client.OnThread(thread).Connect(listener.Local)
		r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.OfProcess(s.client.PID), testreceiver.With("thread.name", thread))
	}
}

func TestConnectionOfMPTCPCountsOnce(t *testing.T) {
	testnet.Require(t)
	testnet.RequireMPTCP(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	listener := s.server.ListenMPTCP(traffic.Addr(testnet.Right.IPv4, 0))
	c := s.client.ConnectMPTCP(listener.Local)
	accepted := s.server.Accept(listener.FD)
	assert.Equal(t, unix.IPPROTO_MPTCP, accepted.Protocol, "the test needs MPTCP on both ends")
	exchange(t, s.client, c.FD, s.server, accepted.FD, 1000)
	closeInTurn(s.client, c.FD, s.server, accepted.FD)

	events := r.Exactly(t, 4, testreceiver.OfProcess(s.client.PID, s.server.PID))
	assert.Equal(t, int64(1000), only(t, events, closeEvent, s.client).Attributes["ebpf.connection.bytes_sent"])
	assert.Equal(t, int64(1000), only(t, events, closeEvent, s.server).Attributes["ebpf.connection.bytes_received"])
	for _, e := range events {
		assert.Equal(t, "tcp", e.Attributes["network.transport"])
		assert.Equal(t, int64(c.Local.Port()), e.Attributes["client.port"])
		assert.Equal(t, int64(listener.Local.Port()), e.Attributes["server.port"])
	}
	only(t, events, connectEvent, s.client)
	only(t, events, acceptEvent, s.server)
	only(t, events, closeEvent, s.client)
	only(t, events, closeEvent, s.server)
}

// Go's listeners are MPTCP sockets by default. Their clients mostly are not.
func TestConnectionsOfGoServerCountOnce(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	web := s.server.ServeHTTP(traffic.Addr(testnet.Right.IPv4, 0))
	assert.Equal(t, testnet.HasMPTCP(), web.MPTCP, "the test needs an MPTCP listener")
	const requests = 20
	s.client.GetHTTP(web.Address, requests)

	r.Exactly(t, 4*requests, testreceiver.OfProcess(s.client.PID, s.server.PID))
	assert.Len(t, r.Events.Matching(testreceiver.Named(connectEvent), testreceiver.OfProcess(s.client.PID)), requests)
	assert.Len(t, r.Events.Matching(testreceiver.Named(acceptEvent), testreceiver.OfProcess(s.server.PID)), requests)
	assert.Len(t, r.Events.Matching(testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID)), requests)
	assert.Len(t, r.Events.Matching(testreceiver.Named(closeEvent), testreceiver.OfProcess(s.server.PID)), requests)
	for _, e := range r.Events.Matching(testreceiver.Named(acceptEvent), testreceiver.OfProcess(s.server.PID)) {
		assert.Equal(t, s.server.Executable, e.Attributes["process.executable.name"])
		assert.Equal(t, "socket", e.Attributes["ebpf.attribution"])
	}
}
