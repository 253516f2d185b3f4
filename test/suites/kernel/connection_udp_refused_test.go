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

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func requireDatagramErrors(t *testing.T) {
	t.Helper()
	testnet.Require(t)
	if !kernelSays().datagramErrors {
		testenv.Lacking(t, "a tracepoint for the errors of sockets (5.14)")
	}
}

// awaitRefusal sends datagrams from a connected socket until one of them fails: the answer to an earlier one has come.
func awaitRefusal(t *testing.T, a *traffic.Agent, fd int) {
	t.Helper()
	require.True(t, testreceiver.Eventually(func() bool {
		sent := a.SendMany(fd, netip.AddrPort{}, 10, 1)
		return sent.Errors == 1 && sent.Errno == unix.ECONNREFUSED
	}), "no call was refused")
}

// The datagrams of a connected socket leave without an error. The error comes back by ICMP, and a later call returns it.
func TestConnectionUDPRefused(t *testing.T) {
	requireDatagramErrors(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:3] {
		t.Run(f.name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			to := traffic.Addr(f.dial, closedPort)
			socket := s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			sender := s.client.OnThread("dialer")
			connected := sender.ConnectUDP(socket.FD, to)
			require.Zero(t, connected.Errno)
			for range 3 { // the failure is reported once
				awaitRefusal(t, s.client, socket.FD)
			}
			attempts := []testreceiver.Match{testreceiver.Named(connectEvent), testreceiver.OfProcess(s.client.PID)}
			failures := []testreceiver.Match{testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID)}
			e := r.Exactly(t, 1, failures...)[0]
			want := connection("udp", "client", connected.Local, to, socket.Cookie, s.left).
				with(owner(sender, "socket")).with(attributes{"error.type": "refused", causeKey: "icmp_unreachable"})
			check(t, e, closeEvent, plog.SeverityNumberWarn, want)
			r.Exactly(t, 1, attempts...)

			// The server is there now. The peer is new when a process connects to it again.
			server := s.server.OpenUDP(traffic.Addr(f.listen, closedPort))
			require.Zero(t, s.client.ConnectUDP(socket.FD, to).Errno)
			s.client.SendMany(socket.FD, netip.AddrPort{}, 10, 1)
			r.Exactly(t, 2, attempts...)
			m := r.Scrape(t).In(container)
			assert.Equal(t, 1, m.Int(failedMetric, testreceiver.Attributes{"network.transport": "udp", "error.type": "refused"}))
			assert.Equal(t, 2, m.Int(openedMetric, testreceiver.Attributes{"network.transport": "udp"}))

			s.server.Close(server.FD)
			awaitRefusal(t, s.client, socket.FD)
			r.Exactly(t, 2, failures...)
		})
	}
}

// The owner is the process that has connected the socket, not the one that has made it.
func TestConnectionUDPRefusedWhereTheSocketWasPassedOn(t *testing.T) {
	requireDatagramErrors(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	maker, taker := traffic.Start(t, s.left, traffic.Named("maker", "maker")), traffic.Start(t, s.left, traffic.Named("taker", "taker"))
	fd := taker.Take(maker, maker.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0)).FD)
	taker.ConnectUDP(fd, traffic.Addr(testnet.Right.IPv4, closedPort))
	awaitRefusal(t, taker, fd)
	r.Exactly(t, 1, testreceiver.OfProcess(taker.PID), testreceiver.With("error.type", "refused"))
	assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(maker.PID)))
}

// A socket that was connected before the start has an owner, too.
func TestConnectionUDPRefusedOlderThanTheReceiver(t *testing.T) {
	requireDatagramErrors(t)
	s := newClientServer(t)
	socket := s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	s.client.ConnectUDP(socket.FD, traffic.Addr(testnet.Right.IPv4, closedPort))
	r := testreceiver.Start(t, onlyConnection)
	awaitRefusal(t, s.client, socket.FD)
	e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
	assert.Equal(t, "refused", e.Attributes["error.type"])
	assert.Equal(t, "socket", e.Attributes["ebpf.attribution"])
}

// A process that looks for the MTU of a path sends datagrams that are too large for it.
func TestConnectionUDPTooLargeForThePath(t *testing.T) {
	requireDatagramErrors(t)
	r := testreceiver.Start(t, onlyConnection)
	left, router, right := testnet.NewNamespace(t), testnet.NewNamespace(t), testnet.NewNamespace(t)
	testnet.JoinOver(t, left, router, right)
	router.SetMTU(t, testnet.FarLeft.Device, 1300)
	client, server := traffic.Start(t, left), traffic.Start(t, right)
	to := traffic.Addr(testnet.FarRight.IPv4, 1000)
	server.OpenUDP(to)
	socket := client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	client.SetOption(socket.FD, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	client.ConnectUDP(socket.FD, to)
	require.True(t, testreceiver.Eventually(func() bool {
		return client.SendMany(socket.FD, netip.AddrPort{}, 1400, 1).Errno == unix.EMSGSIZE
	}))
	client.SendMany(socket.FD, netip.AddrPort{}, 100, 1)
	e := r.Exactly(t, 1, testreceiver.OfProcess(client.PID))[0]
	assert.NotContains(t, e.Attributes, "error.type")
}
