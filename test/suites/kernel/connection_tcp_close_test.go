// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// closings are the orders in which two ends close a connection.
var closings = map[string]func(t *testing.T, s clientServer, p pair){
	"client first": func(_ *testing.T, s clientServer, p pair) { closeInTurn(s.client, p.client.FD, s.server, p.server.FD) },
	"server first": func(_ *testing.T, s clientServer, p pair) { closeInTurn(s.server, p.server.FD, s.client, p.client.FD) },
	"half closed": func(_ *testing.T, s clientServer, p pair) {
		s.client.CloseWrite(p.client.FD)
		s.server.ReceiveEOF(p.server.FD)
		s.server.CloseWrite(p.server.FD)
		s.client.ReceiveEOF(p.client.FD)
		s.client.Close(p.client.FD)
		s.server.Close(p.server.FD)
	},
	// Lose each FIN once, so that both sides close before they receive the other's FIN.
	"at once": func(t *testing.T, s clientServer, p pair) {
		const fin = 1
		toServer := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: fin})
		toClient := s.left.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: fin})
		s.client.Close(p.client.FD)
		s.server.Close(p.server.FD)
		require.True(t, testreceiver.Eventually(func() bool { return toServer.Packets(t) > 0 && toClient.Packets(t) > 0 }))
		toServer.Remove(t)
		toClient.Remove(t)
	},
}

// The bytes of close events are exactly those sent. SYN and FIN do not count.
func TestConnectionBytes(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:2] {
		for order, closing := range closings {
			for _, bytes := range []struct{ up, down int }{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {1 << 20, 1 << 20}} {
				t.Run(fmt.Sprintf("%s %s %d up %d down", f.name, order, bytes.up, bytes.down), func(t *testing.T) {
					t.Parallel()
					s := newClientServer(t)
					p := s.establish(t, f)
					exchange(t, s.client, p.client.FD, s.server, p.server.FD, bytes.up)
					exchange(t, s.server, p.server.FD, s.client, p.client.FD, bytes.down)
					closing(t, s, p)

					events := r.Exactly(t, 4, testreceiver.OfProcess(s.client.PID, s.server.PID))
					client, server := only(t, events, closeEvent, s.client), only(t, events, closeEvent, s.server)
					assert.Equal(t, int64(bytes.up), client.Attributes["ebpf.connection.bytes_sent"], "client sent")
					assert.Equal(t, int64(bytes.down), client.Attributes["ebpf.connection.bytes_received"], "client received")
					assert.Equal(t, int64(bytes.down), server.Attributes["ebpf.connection.bytes_sent"], "server sent")
					assert.Equal(t, int64(bytes.up), server.Attributes["ebpf.connection.bytes_received"], "server received")
					for _, e := range []testreceiver.Event{client, server} {
						assert.Equal(t, plog.SeverityNumberInfo, e.Severity)
						assert.NotContains(t, e.Attributes, "error.type", "an orderly close")
					}
				})
			}
		}
	}
}

// Retransmitted bytes count as a retransmit, not as additional bytes.
func TestConnectionRetransmits(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	p := s.establish(t, families[0])
	const push = 8
	rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: push})
	s.client.Send(p.client.FD, 100)
	require.True(t, testreceiver.Eventually(func() bool { return rule.Packets(t) >= 2 }), "the segment is lost more than once")
	rule.Remove(t)
	require.Equal(t, 100, s.server.Receive(p.server.FD, 100).Bytes)
	require.True(t, testreceiver.Eventually(func() bool { return s.client.Info(p.client.FD).BytesAcked >= 100 }))
	info := s.client.Info(p.client.FD)
	require.GreaterOrEqual(t, info.Retransmits, 2)
	closeInTurn(s.client, p.client.FD, s.server, p.server.FD)

	events := r.Exactly(t, 4, testreceiver.OfProcess(s.client.PID, s.server.PID))
	client := only(t, events, closeEvent, s.client)
	assert.Equal(t, int64(info.Retransmits), client.Attributes[retransmitsKey])
	assert.Equal(t, int64(100), client.Attributes["ebpf.connection.bytes_sent"])
	server := only(t, events, closeEvent, s.server)
	assert.Equal(t, int64(0), server.Attributes[retransmitsKey])
	assert.Equal(t, int64(100), server.Attributes["ebpf.connection.bytes_received"])
}

// A reset is an abort for the side that sends it.
func TestConnectionReset(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:2] {
		for name, c := range map[string]struct {
			reset                func(t *testing.T, s clientServer, p pair)
			client, server       any
			clientSent, received int64
		}{
			"by the server": {
				reset: func(t *testing.T, s clientServer, p pair) {
					s.server.Reset(p.server.FD)
					require.Equal(t, unix.ECONNRESET, s.client.Receive(p.client.FD, 1).Errno)
					s.client.Close(p.client.FD)
				},
				client: "reset", server: "aborted",
			},
			"by the client": {
				reset: func(t *testing.T, s clientServer, p pair) {
					s.client.Reset(p.client.FD)
					require.Equal(t, unix.ECONNRESET, s.server.Receive(p.server.FD, 1).Errno)
					s.server.Close(p.server.FD)
				},
				client: "aborted", server: "reset",
			},
			// The kernel resets a connection that is closed with unread data.
			"closed with unread bytes": {
				reset: func(t *testing.T, s clientServer, p pair) {
					s.client.Send(p.client.FD, 10)
					require.True(t, testreceiver.Eventually(func() bool { return s.server.Info(p.server.FD).BytesReceived == 10 }))
					s.server.Close(p.server.FD)
					require.Equal(t, unix.ECONNRESET, s.client.Receive(p.client.FD, 1).Errno)
					s.client.Close(p.client.FD)
				},
				client: "reset", server: "aborted", clientSent: 10, received: 10,
			},
			"after the other side's FIN": {
				reset: func(_ *testing.T, s clientServer, p pair) {
					s.client.CloseWrite(p.client.FD)
					s.server.ReceiveEOF(p.server.FD)
					s.server.Reset(p.server.FD)
					s.client.Receive(p.client.FD, 1)
					s.client.Close(p.client.FD)
				},
				client: "reset", server: "aborted",
			},
		} {
			t.Run(f.name+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newClientServer(t)
				p := s.establish(t, f)
				c.reset(t, s, p)

				events := r.Exactly(t, 4, testreceiver.OfProcess(s.client.PID, s.server.PID))
				client, server := only(t, events, closeEvent, s.client), only(t, events, closeEvent, s.server)
				assert.Equal(t, c.client, client.Attributes["error.type"], client)
				assert.Equal(t, c.server, server.Attributes["error.type"], server)
				for _, e := range []testreceiver.Event{client, server} {
					if e.Attributes["error.type"] == "reset" {
						assert.Equal(t, "reset_by_peer", e.Attributes[causeKey], e)
					} else {
						assert.NotContains(t, e.Attributes, causeKey, "its own process did it")
					}
					checkDropped(t, e, nil)
				}
				assert.Equal(t, c.clientSent, client.Attributes["ebpf.connection.bytes_sent"])
				assert.Equal(t, int64(0), client.Attributes["ebpf.connection.bytes_received"])
				assert.Equal(t, int64(0), server.Attributes["ebpf.connection.bytes_sent"])
				assert.Equal(t, c.received, server.Attributes["ebpf.connection.bytes_received"])
				for _, e := range []testreceiver.Event{client, server} {
					assert.Equal(t, plog.SeverityNumberWarn, e.Severity)
				}
			})
		}
	}
}

// If a process ends without closing, the kernel closes the connection with a FIN.
func TestConnectionClosedByExit(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	p := s.establish(t, families[0])
	s.client.Kill()
	s.server.ReceiveEOF(p.server.FD)
	s.server.Close(p.server.FD)
	events := r.Exactly(t, 4, testreceiver.OfProcess(s.client.PID, s.server.PID))
	closed := only(t, events, closeEvent, s.client)
	assert.NotContains(t, closed.Attributes, "error.type")
	assert.Equal(t, s.client.Executable, closed.Attributes["process.executable.name"])
}
