// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// The bytes of a connection are counted while it is open, and the rest at its end, even if several processes hold its socket.
func TestConnectionBytesWhileOpen(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			clients, servers := testhost.NewContainer(t), testhost.NewContainer(t)
			s := clientServer{left: testnet.NewNamespace(t), right: testnet.NewNamespace(t)}
			testnet.Join(t, s.left, s.right)
			s.client, s.server = traffic.Start(t, s.left, traffic.In(clients)), traffic.Start(t, s.right, traffic.In(servers))
			other := traffic.Start(t, s.left, traffic.In(clients))
			const up, down = 5_000_000, 3000
			sent, received := 0, 0
			compare := func() {
				t.Helper()
				m := scrapeBytes(t, r, 2*(sent+received), clients, servers)
				for _, side := range []struct {
					in             *testhost.Cgroup
					role           string
					sent, received int
				}{{clients, "client", sent, received}, {servers, "server", received, sent}} {
					series := tcp(f.networkType, side.role)
					assert.Equal(t, side.sent, m.In(side.in).Int(ioMetric, series.With("network.io.direction", "transmit")), "sent by the %s", side.role)
					assert.Equal(t, side.received, m.In(side.in).Int(ioMetric, series.With("network.io.direction", "receive")), "received by the %s", side.role)
				}
			}
			p := s.establish(t, f)
			compare()
			exchange(t, s.client, p.client.FD, s.server, p.server.FD, up)
			acknowledgeAll(t, s.client, p.client.FD)
			sent += up
			compare()
			compare()
			exchange(t, s.server, p.server.FD, s.client, p.client.FD, down)
			acknowledgeAll(t, s.server, p.server.FD)
			received += down
			shared := other.Take(s.client, p.client.FD)
			compare()
			second := s.establish(t, f) // between two scrapes
			exchange(t, s.client, second.client.FD, s.server, second.server.FD, 500)
			closeInTurn(s.client, second.client.FD, s.server, second.server.FD)
			sent += 500
			exchange(t, s.client, p.client.FD, s.server, p.server.FD, 700)
			sent += 700
			other.Close(shared)
			closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
			r.Exactly(t, 2, testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID))
			r.Exactly(t, 2, testreceiver.Named(closeEvent), testreceiver.OfProcess(s.server.PID))
			compare()
			compare()
		})
	}
}

// scrapeBytes scrapes until some containers have that many bytes, sent and received: on a busy host, scans have pauses.
func scrapeBytes(t *testing.T, r *testreceiver.Receiver, bytes int, containers ...*testhost.Cgroup) (m testreceiver.Scrape) {
	t.Helper()
	testreceiver.Eventually(func() bool {
		m = r.Scrape(t)
		all := 0
		for _, c := range containers {
			all += m.In(c).Int(ioMetric, nil)
		}
		return all >= bytes
	})
	return m
}

// Many connections open, send and close while scans run: no byte counts twice, and none is missing.
func TestConnectionBytesDuringScans(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "collection_interval: 10ms\n"+onlyConnection)
	container := testhost.NewContainer(t)
	s := newClientServer(t, traffic.In(container))
	const rounds, bytes = 300, 1000
	var open []pair
	for range rounds {
		p := s.establish(t, families[0])
		exchange(t, s.client, p.client.FD, s.server, p.server.FD, bytes)
		open = append(open, p)
		if len(open) > 5 {
			closeInTurn(s.client, open[0].client.FD, s.server, open[0].server.FD)
			open = open[1:]
		}
	}
	require.Len(t, open, 5)
	for _, p := range open {
		acknowledgeAll(t, s.client, p.client.FD)
	}
	m := scrapeBytes(t, r, 2*rounds*bytes, container).In(container)
	for _, role := range []string{"client", "server"} {
		direction := map[string]string{"client": "transmit", "server": "receive"}[role]
		assert.Equal(t, rounds*bytes, m.Int(ioMetric, tcp("ipv4", role).With("network.io.direction", direction)), role)
	}
}
