// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
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

// A handshake begins with the first SYN. With TCP_FASTOPEN_CONNECT, the first write sends it, not connect().
func TestConnectionDeferred(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			// A client defers only if it needs no cookie from the server.
			s.left.Sysctl(t, "net.ipv4.tcp_fastopen", "5")
			listener := s.server.Listen(traffic.Addr(f.listen, 0))
			to := traffic.Addr(f.dial, listener.Local.Port())
			const bytes = 20

			c := s.client.ConnectDeferred(to, 500*time.Millisecond, bytes)
			require.Zero(t, c.Errno)
			accepted := s.server.Accept(listener.FD)
			s.server.Receive(accepted.FD, bytes)
			closeInTurn(s.client, c.FD, s.server, accepted.FD)
			e := only(t, r.Exactly(t, 4, testreceiver.OfProcess(s.client.PID, s.server.PID)), connectEvent, s.client)
			between(t, e, handshakeKey, 0, c.Duration())
			within(t, e, c.Start, c.End)
			closed := only(t, r.Events.Matching(testreceiver.OfProcess(s.client.PID)), closeEvent, s.client)
			assert.EqualValues(t, bytes, closed.Attributes["ebpf.connection.bytes_sent"])

			// An attempt that fails begins with its first SYN, too.
			refused := s.client.ConnectDeferred(traffic.Addr(f.dial, closedPort), 500*time.Millisecond, bytes)
			require.Equal(t, unix.ECONNREFUSED, refused.Errno)
			e = r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("server.port", int64(closedPort)))[0]
			assert.Equal(t, "refused", e.Attributes["error.type"])
			duration, _ := e.Attributes[handshakeKey].(float64)
			assert.Less(t, duration, (refused.Duration() + 2*time.Millisecond).Seconds(), "TCP measures this time in ms")

			// A client that sends nothing has sent no SYN, so nothing has failed.
			for range 3 {
				s.client.Close(s.client.ConnectDeferred(to, 0, 0).FD)
			}
			r.Settle(t)
			assert.Len(t, r.Events.Matching(testreceiver.OfProcess(s.client.PID)), 3)
			m := r.Scrape(t).In(container)
			assert.Equal(t, 1, m.Int(failedMetric, nil), "only the refused connection")
			assert.Equal(t, 1, m.Int(openedMetric, tcp(f.networkType, "client")))
		})
	}
}

// The bytes sent do not tell how many arrived if the peer vanishes or resets the connection. The acknowledged bytes do.
func TestConnectionBytesAreThoseAcknowledged(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:2] {
		for side, from := range map[string]func(clientServer, pair) (a, b *traffic.Agent, fd, peer int){
			"client": func(s clientServer, p pair) (*traffic.Agent, *traffic.Agent, int, int) {
				return s.client, s.server, p.client.FD, p.server.FD
			},
			"server": func(s clientServer, p pair) (*traffic.Agent, *traffic.Agent, int, int) {
				return s.server, s.client, p.server.FD, p.client.FD
			},
		} {
			for name, end := range map[string]func(a *traffic.Agent, fd int){
				"vanished": func(a *traffic.Agent, fd int) { a.Receive(fd, 1) },
				"aborted":  func(a *traffic.Agent, fd int) { a.Reset(fd) },
				"closed":   func(a *traffic.Agent, fd int) { a.Close(fd) },
			} {
				t.Run(f.name+" "+side+" "+name, func(t *testing.T) {
					t.Parallel()
					container := testhost.NewContainer(t)
					s := newClientServer(t, traffic.In(container))
					p := s.establish(t, f)
					sender, peer, fd, peerFD := from(s, p)
					const acknowledged, lost = 100, 5000
					exchange(t, sender, fd, peer, peerFD, acknowledged)
					sender.SetOption(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1000)
					for _, ns := range []*testnet.Namespace{s.left, s.right} {
						ns.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP})
					}
					sender.Send(fd, lost)
					end(sender, fd)
					e := r.Exactly(t, 1, testreceiver.Named(closeEvent), testreceiver.OfProcess(sender.PID))[0]
					assert.EqualValues(t, acknowledged, e.Attributes["ebpf.connection.bytes_sent"])
					assert.Equal(t, plog.SeverityNumberWarn, e.Severity, "%s", e)
					series := tcp(f.networkType, side).With("network.io.direction", "transmit")
					assert.Equal(t, acknowledged, r.Scrape(t).In(container).Int(ioMetric, series))
				})
			}
		}
	}
}
