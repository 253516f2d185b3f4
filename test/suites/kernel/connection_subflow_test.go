// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net/netip"
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

const (
	joinEvent  = "ebpf.connection.join"
	subflowKey = "ebpf.connection.subflow"
)

// An MPTCP connection with a further subflow, which the kernel opens, counts as one connection.
func TestConnectionSubflows(t *testing.T) {
	testnet.Require(t)
	testnet.RequireMPTCP(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, tt := range []struct {
		f      family
		second netip.Addr
	}{
		{families[0], netip.MustParseAddr("198.18.0.3")},
		{families[1], netip.MustParseAddr("fd18::3")},
	} {
		t.Run(tt.f.name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			bits := testnet.Prefix4.Bits()
			if tt.second.Is6() {
				bits = testnet.Prefix6.Bits()
			}
			s.left.AllowSubflows(t)
			s.right.AllowSubflows(t)
			listener := s.server.OnThread("listener").ListenMPTCP(traffic.Addr(tt.f.listen, 0))
			c := s.client.OnThread("dialer").ConnectMPTCP(traffic.Addr(tt.f.dial, listener.Local.Port()))
			require.Zero(t, c.Errno)
			accepted := s.server.Accept(listener.FD)
			require.Equal(t, unix.IPPROTO_MPTCP, accepted.Protocol)
			// The kernel joins further subflows when both sides have seen data.
			exchange(t, s.client, c.FD, s.server, accepted.FD, 1000)
			exchange(t, s.server, accepted.FD, s.client, c.FD, 1000)
			s.left.AddAddress(t, testnet.Left.Device, netip.PrefixFrom(tt.second, bits))
			s.left.AddSubflow(t, tt.second)

			both := testreceiver.OfProcess(s.client.PID, s.server.PID)
			for _, e := range r.Exactly(t, 2, both, testreceiver.Named(joinEvent)) {
				side, ns, role := s.client.OnThread("dialer"), s.left, "client"
				measured := []string{handshakeKey, "client.port", cookieKey}
				if e.Attributes["ebpf.connection.role"] == "server" {
					side, ns, role, measured = s.server.OnThread("listener"), s.right, "server", measured[1:]
				}
				want := connection("tcp", role, traffic.Addr(tt.second, 0), traffic.Addr(tt.f.dial, listener.Local.Port()), 0, ns).
					with(owner(side, "socket")).with(attributes{subflowKey: true})
				delete(want, "client.port")
				delete(want, cookieKey)
				check(t, e, joinEvent, plog.SeverityNumberInfo, want, measured...)
			}
			m := r.Scrape(t).In(container)
			for _, role := range []string{"client", "server"} {
				assert.Equal(t, 1, m.Int(openedMetric, tcp(tt.f.networkType, role)), role)
				assert.Equal(t, 1, m.Int(activeMetric, tcp(tt.f.networkType, role)), role)
			}
			closeInTurn(s.client, c.FD, s.server, accepted.FD)
			r.Exactly(t, 8, both)
			r.Exactly(t, 1, both, testreceiver.Named(connectEvent))
			r.Exactly(t, 1, both, testreceiver.Named(acceptEvent))
			r.Exactly(t, 2, both, testreceiver.Named(closeEvent), testreceiver.With(subflowKey, true))
			m = r.Scrape(t).In(container)
			for _, role := range []string{"client", "server"} {
				assert.Zero(t, m.Int(activeMetric, tcp(tt.f.networkType, role)), role)
			}
		})
	}
}
