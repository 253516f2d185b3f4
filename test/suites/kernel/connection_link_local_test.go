// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// farDevice is the name of the interface of each neighbour.
const farDevice = "kt-far"

// Addresses that are the same on all links of a test.
var (
	near6, far6 = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::77")
	near4, far4 = netip.MustParseAddr("169.254.0.1"), netip.MustParseAddr("169.254.0.77")
	mdnsGroup   = netip.MustParseAddr("ff02::fb")
)

// neighbour is a host. Only the interface distinguishes it from the other one.
type neighbour struct {
	device string // of the client
	index  int
	ns     *testnet.Namespace
	server *traffic.Agent
	// farIndex is the index of farDevice.
	farIndex int
}

// on is an address on the interface of that index.
func on(address netip.Addr, index int, port uint16) netip.AddrPort {
	return traffic.Addr(address.WithZone(strconv.Itoa(index)), port)
}

// newNeighbours makes a client and two neighbours with the same addresses.
func newNeighbours(t *testing.T) (*testnet.Namespace, *traffic.Agent, []neighbour) {
	t.Helper()
	left := testnet.NewNamespace(t)
	client := traffic.Start(t, left, traffic.Named("kernel-test-client", "client-main"))
	var all []neighbour
	for i, device := range []string{"kt-first", "kt-second"} {
		n := neighbour{device: device, ns: testnet.NewNamespace(t)}
		testnet.JoinBy(t, left, device, n.ns, farDevice)
		left.AddAddress(t, device, netip.PrefixFrom(near6, 64))
		n.ns.AddAddress(t, farDevice, netip.PrefixFrom(far6, 64))
		if i == 0 {
			left.AddAddress(t, device, netip.PrefixFrom(near4, 16))
			n.ns.AddAddress(t, farDevice, netip.PrefixFrom(far4, 16))
		}
		n.index, n.farIndex = left.InterfaceIndex(t, device), n.ns.InterfaceIndex(t, farDevice)
		n.server = traffic.Start(t, n.ns, traffic.Named("kernel-test-server", "server-main"))
		all = append(all, n)
	}
	return left, client, all
}

func TestConnectionLinkLocal(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	left, client, neighbours := newNeighbours(t)
	for _, n := range neighbours {
		listener := n.server.Listen(on(far6, n.farIndex, 8000))
		c := client.Connect(on(far6, n.index, 8000))
		require.Zero(t, c.Errno)
		s := n.server.Accept(listener.FD)
		closeInTurn(client, c.FD, n.server, s.FD)

		from, to := traffic.Addr(near6, c.Local.Port()), traffic.Addr(far6, 8000)
		mine := r.Exactly(t, 2, testreceiver.OfProcess(client.PID), testreceiver.With(interfaceKey, n.device))
		want := connection("tcp", "client", from, to, c.Cookie, left).with(owner(client, "socket")).with(attributes{interfaceKey: n.device})
		check(t, only(t, mine, connectEvent, client), connectEvent, plog.SeverityNumberInfo, want, handshakeKey)
		assert.Contains(t, mine[0].Body, "[fe80::77%"+n.device+"]:8000")
		assert.Equal(t, n.device, only(t, mine, closeEvent, client).Attributes[interfaceKey])

		theirs := r.Exactly(t, 2, testreceiver.OfProcess(n.server.PID), testreceiver.With(interfaceKey, farDevice))
		want = connection("tcp", "server", from, to, s.Cookie, n.ns).with(owner(n.server, "socket")).with(attributes{interfaceKey: farDevice})
		check(t, only(t, theirs, acceptEvent, n.server), acceptEvent, plog.SeverityNumberInfo, want)
		assert.Equal(t, farDevice, only(t, theirs, closeEvent, n.server).Attributes[interfaceKey])
	}
	assert.Len(t, r.Events.Matching(testreceiver.OfProcess(client.PID)), 2*len(neighbours), "each has an interface")
}

// A refused connect has the interface, and so have the resets that refuse it.
func TestConnectionLinkLocalFailed(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {}, tcp: {}}")
	left, client, neighbours := newNeighbours(t)
	n := neighbours[1]
	require.Equal(t, unix.ECONNREFUSED, client.Connect(on(far6, n.index, closedPort)).Errno)
	r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.InNamespace(left), testreceiver.With(interfaceKey, n.device),
		testreceiver.With("error.type", "refused"))
	r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(left), testreceiver.With(interfaceKey, n.device))
	if kernelSays().resetReasons {
		r.Exactly(t, 1, testreceiver.Named(resetEvent), testreceiver.InNamespace(n.ns), testreceiver.With(interfaceKey, farDevice))
	}
}

func TestConnectionUDPLinkLocal(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	left, client, neighbours := newNeighbours(t)
	for _, n := range neighbours {
		// The interface of the address, and that of the socket.
		unbound := client.OpenUDP(traffic.Addr(netip.IPv6Unspecified(), 0))
		bound := client.OpenUDP(on(near6, n.index, 0))
		for _, tt := range []struct {
			socket traffic.Socket
			to     netip.AddrPort
		}{
			{unbound, on(far6, n.index, 1001)},
			{unbound, on(mdnsGroup, n.index, 5353)},
			{bound, traffic.Addr(far6, 1002)},
		} {
			require.Zero(t, client.SendTo(tt.socket.FD, tt.to, 1).Errno)
			e := r.Exactly(t, 1, testreceiver.OfProcess(client.PID), testreceiver.With(interfaceKey, n.device),
				testreceiver.With("server.port", int64(tt.to.Port())))[0]
			want := connection("udp", "client", tt.socket.Local, tt.to, tt.socket.Cookie, left).
				with(owner(client, "current")).with(attributes{interfaceKey: n.device})
			if tt.socket.Local.Addr().IsUnspecified() {
				delete(want, "client.address")
			}
			check(t, e, connectEvent, plog.SeverityNumberInfo, want)
		}
	}
	// IPv4 has no zones: unless the socket is bound to an interface, the interface is unknown before routing.
	n := neighbours[0]
	bound, unbound := client.OpenUDP(traffic.Addr(near4, 0)), client.OpenUDP(traffic.Addr(near4, 0))
	client.SetOption(bound.FD, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, n.index)
	for _, socket := range []traffic.Socket{bound, unbound} {
		require.Zero(t, client.SendTo(socket.FD, traffic.Addr(far4, 1003), 1).Errno)
	}
	for _, e := range r.Exactly(t, 2, testreceiver.OfProcess(client.PID), testreceiver.With("server.address", far4.String())) {
		want := connection("udp", "client", bound.Local, traffic.Addr(far4, 1003), bound.Cookie, left).with(attributes{interfaceKey: n.device})
		if e.Attributes["client.port"] == int64(unbound.Local.Port()) {
			want = connection("udp", "client", unbound.Local, traffic.Addr(far4, 1003), unbound.Cookie, left)
		}
		check(t, e, connectEvent, plog.SeverityNumberInfo, want.with(owner(client, "current")))
	}
}
