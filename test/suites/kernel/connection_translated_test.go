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

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// waitToAsk waits until the receiver may query conntrack again: its queries may take a tenth of the time, which slow machines use up.
func waitToAsk() { time.Sleep(testenv.Patiently(700 * time.Millisecond)) }

// A service has an address that no host has. The client's kernel sends packets for it to a server.
func TestConnectionTranslated(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, tt := range []struct {
		f       family
		service netip.Addr
	}{
		{families[0], netip.MustParseAddr("198.18.0.10")},
		{families[1], netip.MustParseAddr("fd18::10")},
	} {
		t.Run(tt.f.name, func(t *testing.T) {
			s := newClientServer(t)
			web, dns := traffic.Addr(tt.service, 80), traffic.Addr(tt.service, 53)
			webServer, dnsServer := traffic.Addr(tt.f.dial, 8080), traffic.Addr(tt.f.dial, 5353)
			s.left.Translate(t, unix.IPPROTO_TCP, web, webServer)
			s.left.Translate(t, unix.IPPROTO_UDP, dns, dnsServer)
			translated := func(to netip.AddrPort) attributes {
				return attributes{
					"ebpf.connection.translated.address": to.Addr().String(), "ebpf.connection.translated.port": int64(to.Port()),
				}
			}

			listener := s.server.Listen(traffic.Addr(tt.f.listen, 8080))
			c := s.client.OnThread("dialer").Connect(web)
			require.Zero(t, c.Errno)
			accepted := s.server.Accept(listener.FD)
			r.Wait(t, 1, testreceiver.OfProcess(s.client.PID))
			waitToAsk()
			closeInTurn(s.client, c.FD, s.server, accepted.FD)
			events := r.Exactly(t, 2, testreceiver.OfProcess(s.client.PID))
			connect := only(t, events, connectEvent, s.client)
			check(t, connect, connectEvent, plog.SeverityNumberInfo, connection("tcp", "client", c.Local, web, c.Cookie, s.left).
				with(owner(s.client.OnThread("dialer"), "socket")).with(translated(webServer)), handshakeKey)
			assert.Contains(t, connect.Body, "sent to "+webServer.String())
			closed := only(t, events, closeEvent, s.client)
			assert.Equal(t, webServer.Addr().String(), closed.Attributes["ebpf.connection.translated.address"])
			assert.Equal(t, int64(webServer.Port()), closed.Attributes["ebpf.connection.translated.port"])

			waitToAsk()
			socket := s.client.OpenUDP(traffic.Addr(tt.f.clientAddress(), 0))
			s.client.SendTo(socket.FD, dns, 10)
			query := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("network.transport", "udp"))[0]
			check(t, query, connectEvent, plog.SeverityNumberInfo, connection("udp", "client", socket.Local, dns, socket.Cookie, s.left).
				with(owner(s.client, "current")).with(translated(dnsServer)))

			// A refusal ends the entry of conntrack.
			refused, nobody := traffic.Addr(tt.service, 81), traffic.Addr(tt.f.dial, closedPort)
			s.left.Translate(t, unix.IPPROTO_TCP, refused, nobody)
			failed := s.client.OnThread("dialer").Connect(refused)
			require.Equal(t, unix.ECONNREFUSED, failed.Errno)
			e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("server.port", int64(refused.Port())))[0]
			want := connection("tcp", "client", traffic.Addr(tt.f.clientAddress(), failed.Local.Port()), refused, failed.Cookie, s.left).
				with(owner(s.client.OnThread("dialer"), "socket")).
				with(attributes{"error.type": "refused", causeKey: "reset_by_peer", synsKey: int64(0)})
			if kernelSays().reasons {
				want = want.with(translated(nobody))
			}
			check(t, e, connectEvent, plog.SeverityNumberWarn, want, handshakeKey)

			// Packets that this host drops belong to their connection, whether their address is translated or not.
			dropped, filtered := traffic.Addr(tt.service, 82), traffic.Addr(tt.f.dial, closedPort+1)
			s.left.Translate(t, unix.IPPROTO_TCP, dropped, filtered)
			rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: closedPort + 1})
			lost := s.client.OnThread("dialer").StartConnect(dropped)
			require.True(t, testreceiver.Eventually(func() bool { return rule.Packets(t) == 1 }))
			s.client.Close(lost.FD)
			e = r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("server.port", int64(dropped.Port())))[0]
			assert.Equal(t, "local_drop", e.Attributes[causeKey])
			assert.Equal(t, int64(1), e.Attributes[dropsKey])

			// A connection that is not translated has no such attributes, although conntrack knows it.
			direct := s.client.OnThread("dialer").Connect(webServer)
			e = r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("server.port", int64(webServer.Port())))[0]
			check(t, e, connectEvent, plog.SeverityNumberInfo, connection("tcp", "client", direct.Local, webServer, direct.Cookie, s.left).
				with(owner(s.client.OnThread("dialer"), "socket")), handshakeKey)
		})
	}
}
