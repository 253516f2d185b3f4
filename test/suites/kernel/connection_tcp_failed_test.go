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

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// closedPort is a port without a listener.
const closedPort = 7

// failure is a way for a connection to fail, and the expected event.
type failure struct {
	name      string
	errorType string
	cause     string
	errno     unix.Errno
	// syns is how often the SYN is sent again; -1: not compared.
	syns int64
	// least is the shortest duration of the attempt.
	least time.Duration
	// prepare arranges the failure.
	prepare func(t *testing.T, s clientServer)
	// to is the address to connect to instead of the server's.
	to func(server netip.Addr) netip.Addr
	// attempt performs the connect. nil connects and waits.
	attempt func(s clientServer, to netip.AddrPort) traffic.Conn
}

func refusedByICMP(code uint8) func(*testing.T, clientServer) {
	return func(t *testing.T, s clientServer) {
		s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: closedPort, Reject: &code})
	}
}

// blackHole drops the client's SYNs and allows one retry.
func blackHole(t *testing.T, s clientServer) {
	s.left.Sysctl(t, "net.ipv4.tcp_syn_retries", "1")
	s.left.SysctlIfPresent(t, "net.ipv4.tcp_syn_linear_timeouts", "0")
	s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: closedPort})
}

var failures = []failure{
	{name: "refused", errorType: "refused", cause: "reset_by_peer", errno: unix.ECONNREFUSED},
	{name: "timed out", errorType: "timed_out", cause: "local_drop", errno: unix.ETIMEDOUT, syns: 1, least: 2 * time.Second, prepare: blackHole},
	{name: "aborted", errorType: "aborted", cause: "local_drop", errno: unix.EINPROGRESS, prepare: blackHole, attempt: func(s clientServer, to netip.AddrPort) traffic.Conn {
		c := s.client.OnThread("dialer").StartConnect(to)
		c.End = s.client.Close(c.FD).End
		return c
	}},
	// No host has this address.
	{name: "host unreachable", errorType: "host_unreachable", cause: "local_drop", errno: unix.EHOSTUNREACH, syns: -1, to: func(server netip.Addr) netip.Addr {
		b := server.AsSlice()
		b[len(b)-1] = 77
		nobody, _ := netip.AddrFromSlice(b)
		return nobody
	}, prepare: func(t *testing.T, s clientServer) {
		s.left.Sysctl(t, "net.ipv4.neigh."+testnet.Left.Device+".mcast_solicit", "1")
		s.left.Sysctl(t, "net.ipv6.neigh."+testnet.Left.Device+".mcast_solicit", "1")
	}},
	// The error comes by ICMP (no route). If the socket is busy at the first ICMP message, the one for the second SYN counts.
	{name: "net unreachable", errorType: "net_unreachable", cause: "icmp_unreachable", errno: unix.ENETUNREACH, syns: -1, prepare: refusedByICMP(0)},
}

func TestConnectionFailed(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range failures {
		for _, server := range []netip.Addr{testnet.Right.IPv4, testnet.Right.IPv6, testnet.Right.Mapped()} {
			t.Run(f.name+" "+server.String(), func(t *testing.T) {
				t.Parallel()
				s := newClientServer(t)
				if f.prepare != nil {
					f.prepare(t, s)
				}
				to := traffic.Addr(server, closedPort)
				if f.to != nil {
					to = traffic.Addr(f.to(server), closedPort)
				}
				attempt := f.attempt
				if attempt == nil {
					attempt = func(s clientServer, to netip.AddrPort) traffic.Conn { return s.client.OnThread("dialer").Connect(to) }
				}
				c := attempt(s, to)
				require.Equal(t, f.errno, c.Errno)

				e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
				// A socket whose connect failed has lost its address. The event must still have it.
				from := testnet.Left.IPv4
				if server.Is6() && !server.Is4In6() {
					from = testnet.Left.IPv6
				}
				want := connection("tcp", "client", traffic.Addr(from, 0), to, c.Cookie, s.left).
					with(owner(s.client.OnThread("dialer"), "socket")).
					with(attributes{"error.type": f.errorType, causeKey: f.cause, synsKey: f.syns})
				delete(want, "client.port")
				if f.syns < 0 {
					want[synsKey] = e.Attributes[synsKey]
				}
				if f.cause != "reset_by_peer" {
					checkDropped(t, e, &lostHere{})
				}
				for _, key := range []string{dropsKey, reasonKey, subsystemKey, locationKey} {
					if value, ok := e.Attributes[key]; ok { // compared above
						want[key] = value
					}
				}
				check(t, e, connectEvent, plog.SeverityNumberWarn, want, "client.port", handshakeKey)
				assert.Positive(t, e.Attributes["client.port"])
				within(t, e, c.Start, c.End)
				between(t, e, handshakeKey, f.least, c.Duration())
				assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(s.server.PID)), "the other side must report nothing")
			})
		}
	}
}

func TestConnectionFailedFromChosenPort(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	from := traffic.Addr(testnet.Left.IPv4, 40001)
	s.client.ConnectFrom(from, traffic.Addr(testnet.Right.IPv4, closedPort))
	e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
	assert.Equal(t, from.Addr().String(), e.Attributes["client.address"])
	assert.Equal(t, int64(from.Port()), e.Attributes["client.port"])
}

// If a process is killed while it waits for the connect, the error is aborted.
func TestConnectionOfKilledProcessIsAborted(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: closedPort})
	s.client.ConnectUntilKilled(traffic.Addr(testnet.Right.IPv4, closedPort))
	require.True(t, testreceiver.Eventually(func() bool { return rule.Packets(t) > 0 }), "no SYN was sent")
	before := time.Now()
	s.client.Kill()
	e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
	assert.Equal(t, connectEvent, e.Name)
	assert.Equal(t, "aborted", e.Attributes["error.type"])
	assert.Equal(t, "local_drop", e.Attributes[causeKey])
	within(t, e, before, time.Now())
}

// A connect that finds no free port never sends anything.
func TestConnectionWithoutFreePort(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			s := newClientServer(t)
			s.left.Sysctl(t, "net.ipv4.ip_local_port_range", "40001 40001")
			listener := s.server.Listen(traffic.Addr(f.listen, 0))
			require.Zero(t, s.client.Connect(listener.Local).Errno)
			require.Equal(t, unix.EADDRNOTAVAIL, s.client.Connect(listener.Local).Errno)

			r.Exactly(t, 2, testreceiver.OfProcess(s.client.PID))
			failed := r.Events.Matching(testreceiver.OfProcess(s.client.PID), testreceiver.With("error.type", "eaddrnotavail"))
			require.Len(t, failed, 1)
			assert.Equal(t, plog.SeverityNumberWarn, failed[0].Severity)
			assert.NotEqual(t, int64(0), failed[0].Attributes["client.port"], "the socket never had a port")
			assert.Equal(t, "no_local_port", failed[0].Attributes[causeKey])
		})
	}
}

// Without a route, the kernel refuses before the socket changes its state. Some kernels do not report this. If reported, the
// error must be right.
func TestConnectionWithoutRoute(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	require.Equal(t, unix.ENETUNREACH, s.client.Connect(traffic.Addr(netip.MustParseAddr("203.0.113.1"), 80)).Errno)
	r.Settle(t)
	events := r.Events.Matching(testreceiver.OfProcess(s.client.PID))
	assert.LessOrEqual(t, len(events), 1)
	for _, e := range events {
		assert.Equal(t, connectEvent, e.Name)
		assert.Equal(t, "net_unreachable", e.Attributes["error.type"])
		assert.Equal(t, "no_route", e.Attributes[causeKey])
	}
}
