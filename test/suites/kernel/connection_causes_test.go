// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/cilium/ebpf"
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
	causeKey = "ebpf.connection.cause"
	dropsKey = "ebpf.connection.drops"
	synsKey  = "ebpf.connection.syn.retransmits"
)

// routed are a client and a server with a router between them.
type routed struct {
	left, router, right *testnet.Namespace
	client, server      *traffic.Agent
	container           *testhost.Cgroup // of the client
}

func newRouted(t testing.TB) routed {
	t.Helper()
	s := routed{left: testnet.NewNamespace(t), router: testnet.NewNamespace(t), right: testnet.NewNamespace(t), container: testhost.NewContainer(t)}
	testnet.JoinOver(t, s.left, s.router, s.right)
	// A second SYN after a second, and the end after three.
	s.left.Sysctl(t, "net.ipv4.tcp_syn_retries", "1")
	s.left.SysctlIfPresent(t, "net.ipv4.tcp_syn_linear_timeouts", "0")
	s.right.Sysctl(t, "net.ipv4.ip_unprivileged_port_start", "0")
	s.client = traffic.Start(t, s.left, traffic.Named("kernel-test-client", "client-main"), traffic.AsUser(clientUser), traffic.In(s.container))
	s.server = traffic.Start(t, s.right, traffic.Named("kernel-test-server", "server-main"), traffic.AsUser(serverUser))
	return s
}

// lostHere describes the packets of a connection that this host drops.
type lostHere struct {
	// count is the number of dropped packets; 0 means at least one.
	count int
	// reason is the reason on the newest kernel; "" means that it is not compared.
	reason string
}

// causeCase is a way for a connect to fail, with the expected attributes.
type causeCase struct {
	// errorType is "" if the case has two possible errors.
	name, errorType, cause string
	dropped                *lostHere
	// only4 says that the case exists for IPv4 only. withReason says that it needs a kernel with drop reasons.
	only4, withReason bool
	prepare           func(t *testing.T, s routed, server netip.Addr)
	// attempt performs the connect; nil means connect and wait.
	attempt func(t *testing.T, s routed, to netip.AddrPort)
	// port is the port of the server; 0 means closedPort.
	port uint16
	// nobody says that the destination is an unused address on the client's link.
	nobody bool
}

const causePort = 4711

func filterAt(where func(s routed) *testnet.Namespace, f testnet.Filter) func(*testing.T, routed, netip.Addr) {
	return func(t *testing.T, s routed, _ netip.Addr) {
		f.Protocol = unix.IPPROTO_TCP
		if f.SourcePort == 0 {
			f.Port = closedPort
		} else {
			s.server.Listen(traffic.Addr(netip.IPv6Unspecified(), f.SourcePort))
		}
		where(s).AddFilter(t, f)
	}
}

func atLeft(s routed) *testnet.Namespace   { return s.left }
func atRouter(s routed) *testnet.Namespace { return s.router }
func atRight(s routed) *testnet.Namespace  { return s.right }

// unanswered loses the client's packets without a drop in any kernel.
func unanswered(t *testing.T, s routed, _ netip.Addr) {
	t.Helper()
	s.left.Hide(t, testnet.Left.Device, testnet.Right.IPv4)
	s.left.Hide(t, testnet.Left.Device, testnet.Right.IPv6)
}

var byFilter = &lostHere{count: 2, reason: "netfilter_drop"}

var causeCases = []causeCase{
	{name: "dropped on the way out", errorType: "timed_out", cause: "local_drop", dropped: byFilter, prepare: filterAt(atLeft, testnet.Filter{Hook: testnet.Output})},
	{name: "dropped by the router", errorType: "timed_out", cause: "local_drop", dropped: byFilter, prepare: filterAt(atRouter, testnet.Filter{Hook: testnet.Forward})},
	{name: "dropped at the server", errorType: "timed_out", cause: "local_drop", dropped: byFilter, prepare: filterAt(atRight, testnet.Filter{Hook: testnet.Input})},
	{
		name: "answer dropped on the way in", errorType: "timed_out", cause: "local_drop", port: causePort,
		dropped: &lostHere{reason: "netfilter_drop"},
		prepare: filterAt(atLeft, testnet.Filter{Hook: testnet.Input, SourcePort: causePort}),
	},
	{
		name: "reset dropped on its way out", errorType: "timed_out", cause: "local_drop", dropped: byFilter,
		prepare: func(t *testing.T, s routed, _ netip.Addr) {
			s.right.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_TCP, SourcePort: closedPort})
		},
	},
	{
		name: "unsigned where the listener wants signatures", errorType: "timed_out", cause: "local_drop", port: causePort,
		dropped: &lostHere{count: 2, reason: "tcp_md5notfound"}, withReason: true,
		prepare: func(_ *testing.T, s routed, server netip.Addr) {
			s.server.Sign(s.server.Listen(traffic.Addr(server, causePort)).FD, testnet.Left.Of(server))
		},
	},
	{
		name: "given up while it is dropped", errorType: "aborted", cause: "local_drop", dropped: &lostHere{count: 1, reason: "netfilter_drop"},
		prepare: filterAt(atRouter, testnet.Filter{Hook: testnet.Forward}), attempt: giveUp,
	},
	{
		name: "source that the server does not route back", errorType: "timed_out", cause: "local_drop", only4: true,
		dropped: &lostHere{count: 2},
		prepare: func(t *testing.T, s routed, _ netip.Addr) {
			s.right.Sysctl(t, "net.ipv4.conf."+testnet.FarRight.Device+".rp_filter", "1")
			testnet.JoinBy(t, s.router, "kt-other-left", s.right, "kt-other-right")
			s.right.AddRoute(t, "kt-other-right", netip.PrefixFrom(testnet.Left.IPv4, 32), netip.Addr{})
		},
	},
	{name: "rejected on the way out", errorType: "refused", cause: "rejected_here", dropped: &lostHere{count: 1, reason: "netfilter_drop"}, prepare: filterAt(atLeft, testnet.Filter{Hook: testnet.Output, Reset: true})},
	{name: "rejected by the router", errorType: "refused", cause: "rejected_here", dropped: &lostHere{count: 1, reason: "netfilter_drop"}, prepare: filterAt(atRouter, testnet.Filter{Hook: testnet.Forward, Reset: true})},
	{
		name: "dropped by a policy", errorType: "timed_out", cause: "local_drop", dropped: &lostHere{count: 2},
		prepare: func(t *testing.T, s routed, _ netip.Addr) { s.container.Deny(t, ebpf.AttachCGroupInetEgress) },
	},
	{
		name: "answer dropped by a policy", errorType: "timed_out", cause: "local_drop", port: causePort, dropped: &lostHere{reason: "socket_filter"},
		withReason: true,
		prepare: func(t *testing.T, s routed, server netip.Addr) {
			s.server.Listen(traffic.Addr(server, causePort))
			s.container.Deny(t, ebpf.AttachCGroupInetIngress)
		},
	},
	{
		name: "answer rejected on the way in", errorType: "timed_out", cause: "local_drop", port: causePort, dropped: &lostHere{reason: "netfilter_drop"},
		prepare: filterAt(atLeft, testnet.Filter{Hook: testnet.Input, SourcePort: causePort, Reset: true}),
	},
	{name: "rejected at the server", errorType: "refused", cause: "rejected_here", dropped: &lostHere{count: 1, reason: "netfilter_drop"}, prepare: filterAt(atRight, testnet.Filter{Hook: testnet.Input, Reset: true})},
	{
		name: "black hole of the router", errorType: "timed_out", cause: "local_drop", dropped: &lostHere{},
		prepare: func(t *testing.T, s routed, server netip.Addr) {
			s.router.RefuseRoute(t, netip.PrefixFrom(server, server.BitLen()), unix.RTN_BLACKHOLE)
		},
	},
	{
		name: "too many hops", errorType: "host_unreachable", cause: "icmp_unreachable", dropped: &lostHere{reason: "ip_inhdr"},
		prepare: func(t *testing.T, s routed, _ netip.Addr) {
			s.left.Sysctl(t, "net.ipv4.ip_default_ttl", "1")
			s.left.Sysctl(t, "net.ipv6.conf."+testnet.Left.Device+".hop_limit", "1")
		},
	},
	{
		name: "router that does not forward", errorType: "timed_out", cause: "local_drop", dropped: &lostHere{reason: "ip_inaddrerrors"},
		prepare: func(t *testing.T, s routed, _ netip.Addr) {
			s.router.Sysctl(t, "net.ipv4.ip_forward", "0")
			s.router.Sysctl(t, "net.ipv6.conf.all.forwarding", "0")
		},
	},
	{name: "no listener", errorType: "refused", cause: "reset_by_peer"},
	{name: "no answer", errorType: "timed_out", cause: "no_answer", prepare: unanswered},
	{name: "given up", errorType: "aborted", cause: "gave_up", prepare: unanswered, attempt: giveUp},
	{
		name: "given up by TCP_USER_TIMEOUT", errorType: "timed_out", cause: "gave_up", prepare: unanswered,
		attempt: func(t *testing.T, s routed, to netip.AddrPort) {
			s.left.Sysctl(t, "net.ipv4.tcp_syn_retries", "6")
			c := s.client.OnThread("dialer").StartConnect(to)
			s.client.SetOption(c.FD, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1500)
		},
	},
	{
		// The kernel limits ICMP errors, even to itself. Without one, the connect would time out.
		name: "neighbour that does not answer", cause: "local_drop", dropped: &lostHere{},
		nobody: true,
		prepare: func(t *testing.T, s routed, _ netip.Addr) {
			for _, version := range []string{"ipv4", "ipv6"} {
				s.left.Sysctl(t, "net."+version+".neigh."+testnet.Left.Device+".mcast_solicit", "1")
			}
		},
	},
}

func giveUp(_ *testing.T, s routed, to netip.AddrPort) {
	c := s.client.OnThread("dialer").StartConnect(to)
	time.Sleep(50 * time.Millisecond) // wait until the SYN is sent
	s.client.Close(c.FD)
}

// A connect() that fails before its first SYN is reported on kernels where task work can read the result of a system call.
func TestConnectionFailedAtOnce(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	refuse := func(kind int) func(*testing.T, routed, netip.Addr) {
		return func(t *testing.T, s routed, server netip.Addr) {
			s.left.RefuseRoute(t, netip.PrefixFrom(server, server.BitLen()), kind)
		}
	}
	for _, c := range []struct {
		name, errorType, cause string
		errno                  unix.Errno
		prepare                func(t *testing.T, s routed, server netip.Addr)
	}{
		{"no route", "net_unreachable", "no_route", unix.ENETUNREACH, refuse(unix.RTN_THROW)},
		{"unreachable", "host_unreachable", "no_route", unix.EHOSTUNREACH, refuse(unix.RTN_UNREACHABLE)},
		{"black hole", "einval", "no_route", unix.EINVAL, refuse(unix.RTN_BLACKHOLE)},
		{"prohibited", "eacces", "denied", unix.EACCES, refuse(unix.RTN_PROHIBIT)},
		{"denied by a policy", "eperm", "denied", unix.EPERM, func(t *testing.T, s routed, server netip.Addr) {
			hook := ebpf.AttachCGroupInet4Connect
			if server.Is6() {
				hook = ebpf.AttachCGroupInet6Connect
			}
			s.container.Deny(t, hook)
		}},
	} {
		for _, server := range []netip.Addr{testnet.FarRight.IPv4, testnet.FarRight.IPv6} {
			t.Run(c.name+" "+networkType(server), func(t *testing.T) {
				t.Parallel()
				s := newRouted(t)
				to := traffic.Addr(server, closedPort)
				// For a destination that has got a SYN before, the receiver does not wait for the result, unless routes or policies have changed.
				before := traffic.Start(t, s.left, traffic.Named("kernel-test-before", "before-main"))
				require.Equal(t, unix.ECONNREFUSED, before.Connect(to).Errno)
				c.prepare(t, s, server)
				tried := s.client.OnThread("dialer").Connect(to)
				require.Equal(t, c.errno, tried.Errno)
				if !kernelSays().taskWork {
					r.Settle(t)
					assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(s.client.PID)))
					return
				}
				e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
				want := connection("tcp", "client", netip.AddrPort{}, to, tried.Cookie, s.left).
					with(owner(s.client.OnThread("dialer"), "current")).
					with(attributes{"error.type": c.errorType, causeKey: c.cause})
				delete(want, "client.address")
				delete(want, "client.port")
				check(t, e, connectEvent, plog.SeverityNumberWarn, want)
				within(t, e, tried.Start, tried.End)
				m := r.Scrape(t).In(s.container)
				assert.Equal(t, 1, m.Int(failedMetric, testreceiver.Attributes{"network.transport": "tcp", "error.type": c.errorType, causeKey: c.cause}))
			})
		}
	}
}

// icmpCases are the codes of "unreachable", and TCP's errors for them.
var icmpCases = map[string]map[uint8]string{
	"ipv4": {0: "net_unreachable", 1: "host_unreachable", 2: "enoprotoopt", 3: "refused", 9: "net_unreachable", 10: "host_unreachable", 13: "host_unreachable"},
	"ipv6": {0: "net_unreachable", 1: "eacces", 3: "host_unreachable", 4: "refused", 5: "eacces", 6: "eacces"},
}

// Each failure has its cause. Other events have none.
func TestConnectionCauses(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	run := func(c causeCase, server netip.Addr) {
		t.Run(c.name+" "+networkType(server), func(t *testing.T) {
			t.Parallel()
			c.run(t, r, server)
		})
	}
	for _, server := range []netip.Addr{testnet.FarRight.IPv4, testnet.FarRight.IPv6} {
		for _, c := range causeCases {
			if (!c.only4 || server.Is4()) && (!c.withReason || kernelSays().reasons) {
				run(c, server)
			}
		}
		for code, errorType := range icmpCases[networkType(server)] {
			run(causeCase{
				name: "ICMP code " + strconv.Itoa(int(code)), errorType: errorType, cause: "icmp_unreachable", dropped: &lostHere{reason: "netfilter_drop"},
				prepare: filterAt(atRouter, testnet.Filter{Hook: testnet.Forward, Reject: &code}),
			}, server)
		}
	}
}

func (c causeCase) run(t *testing.T, r *testreceiver.Receiver, server netip.Addr) {
	s := newRouted(t)
	if c.prepare != nil {
		c.prepare(t, s, server)
	}
	to := traffic.Addr(server, closedPort)
	if c.port != 0 {
		to = traffic.Addr(server, c.port)
	}
	if c.nobody {
		to = traffic.Addr(nobodyOnLink(server), closedPort)
	}
	if c.attempt != nil {
		c.attempt(t, s, to)
	} else {
		require.NotZero(t, s.client.OnThread("dialer").Connect(to).Errno)
	}
	e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
	assert.Equal(t, connectEvent, e.Name)
	assert.Equal(t, plog.SeverityNumberWarn, e.Severity)
	if c.errorType == "" {
		c.errorType = e.Attributes["error.type"].(string)
		assert.Contains(t, []string{"host_unreachable", "timed_out"}, c.errorType)
	}
	assert.Equal(t, c.errorType, e.Attributes["error.type"])
	assert.Equal(t, c.cause, e.Attributes[causeKey], "%s", e)
	checkDropped(t, e, c.dropped)
	if c.cause == "no_answer" || c.dropped == byFilter {
		assert.Equal(t, int64(1), e.Attributes[synsKey])
		assert.Contains(t, e.Body, "2 SYNs sent, ")
	}
	m := r.Scrape(t).In(s.container)
	assert.Equal(t, 1, m.Int(failedMetric, testreceiver.Attributes{"error.type": c.errorType, causeKey: c.cause}))
}

// nobodyOnLink is an unused address on the client's link.
func nobodyOnLink(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.MustParseAddr("198.18.0.77")
	}
	return netip.MustParseAddr("fd18::77")
}

// checkDropped checks the attributes of an event about its connection's dropped packets.
func checkDropped(t *testing.T, e testreceiver.Event, want *lostHere) {
	t.Helper()
	drops, _ := e.Attributes[dropsKey].(int64)
	if want == nil {
		assert.Zero(t, drops, "%s", e)
		assert.NotContains(t, e.Attributes, reasonKey)
		assert.NotContains(t, e.Attributes, locationKey)
		return
	}
	if want.count > 0 {
		assert.Equal(t, int64(want.count), drops, "%s", e)
	} else {
		assert.Positive(t, drops, "%s", e)
	}
	if want.reason != "" && kernelSays().reasons {
		assert.Equal(t, want.reason, e.Attributes[reasonKey])
		if c := e.Attributes[causeKey]; c == "local_drop" || c == "rejected_here" {
			assert.Contains(t, e.Body, want.reason)
		}
	}
	assert.NotEmpty(t, e.Attributes[locationKey])
}

// endCases are ways for an established connection to end with an error.
var endCases = []struct {
	name, errorType, cause string
	dropped                *lostHere
	// spoil disturbs the connection before the client sends.
	spoil func(t *testing.T, s routed, server netip.Addr)
}{
	{"peer that vanishes", "timed_out", "peer_vanished", nil, unanswered},
	{
		"segments too large for the way, without ICMP", "timed_out", "peer_vanished", &lostHere{},
		func(t *testing.T, s routed, server netip.Addr) {
			icmp := testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_ICMP, ICMPType: 3}
			if server.Is6() {
				icmp.Protocol, icmp.ICMPType = unix.IPPROTO_ICMPV6, 2
			}
			s.left.AddFilter(t, icmp)
			s.router.SetMTU(t, testnet.FarLeft.Device, 1280)
		},
	},
	{
		"rejected on the way out", "reset", "rejected_here", &lostHere{count: 1, reason: "netfilter_drop"},
		filterAt(atLeft, testnet.Filter{Hook: testnet.Output, Reset: true}),
	},
}

// An established connection that ends with an error has a cause, too.
func TestConnectionEndCauses(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, c := range endCases {
		for _, server := range []netip.Addr{testnet.FarRight.IPv4, testnet.FarRight.IPv6} {
			t.Run(c.name+" "+networkType(server), func(t *testing.T) {
				t.Parallel()
				s := newRouted(t)
				s.server.Listen(traffic.Addr(server, closedPort))
				p := s.client.Connect(traffic.Addr(server, closedPort))
				require.Zero(t, p.Errno)
				s.client.SetOption(p.FD, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1500)
				c.spoil(t, s, server)
				s.client.Send(p.FD, 5000)
				r.Exactly(t, 2, testreceiver.OfProcess(s.client.PID))
				e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.Named(closeEvent))[0]
				assert.Equal(t, plog.SeverityNumberWarn, e.Severity)
				assert.Equal(t, c.errorType, e.Attributes["error.type"], "%s", e)
				assert.Equal(t, c.cause, e.Attributes[causeKey], "%s", e)
				checkDropped(t, e, c.dropped)
				if c.errorType == "timed_out" {
					assert.Equal(t, "loss", e.Attributes[stateKey], "%s", e)
				} else {
					assert.NotContains(t, e.Attributes, stateKey)
				}
			})
		}
	}
}

// A SYN for a full accept queue on the same host is a local drop, although no tracepoint reports it.
func TestConnectionCauseOfFullQueue(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, address := range []netip.Addr{testnet.Loopback4, testnet.Loopback6} {
		t.Run(networkType(address), func(t *testing.T) {
			ns := testnet.NewNamespace(t)
			ns.Sysctl(t, "net.ipv4.tcp_syn_retries", "1")
			ns.SysctlIfPresent(t, "net.ipv4.tcp_syn_linear_timeouts", "0")
			client, server := traffic.Start(t, ns), traffic.Start(t, ns)
			listener := server.ListenWithBacklog(traffic.Addr(address, 0), 0)
			require.Zero(t, client.Connect(listener.Local).Errno, "the kernel admits one more than the limit")
			require.Equal(t, unix.ETIMEDOUT, client.Connect(listener.Local).Errno)
			e := r.Exactly(t, 1, testreceiver.OfProcess(client.PID), testreceiver.With("error.type", "timed_out"))[0]
			assert.Equal(t, "local_drop", e.Attributes[causeKey], "%s", e)
			assert.NotContains(t, e.Attributes, dropsKey)
			assert.Contains(t, e.Body, "2 SYNs sent, dropped here (the accept queue of the listener is full)")
		})
	}
}
