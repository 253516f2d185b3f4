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

const (
	onlyTCP = "programs: {tcp: {}}"

	retransmitEvent = "ebpf.tcp.retransmit"
	resetEvent      = "ebpf.tcp.reset"

	retransmitsMetric = "ebpf.tcp.retransmits"
	rttMetric         = "ebpf.tcp.rtt"

	retransmitTypeKey = "ebpf.tcp.retransmit.type"
)

// Flags of TCP headers.
const (
	synFlag  = 1 << 1
	rstFlag  = 1 << 2
	pushFlag = 1 << 3
)

func init() {
	counts("tcp", forContainer{
		act: func(t *testing.T, p place) {
			p.ns.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: pushFlag, First: 1})
			listener := p.agent.Listen(traffic.Addr(testnet.Loopback4, 0))
			c := p.agent.Connect(listener.Local)
			accepted := p.agent.Accept(listener.FD)
			p.agent.Send(c.FD, 100)
			require.Equal(t, 100, p.agent.Receive(accepted.FD, 100).Bytes, "the second time")
			closeInTurn(p.agent, c.FD, p.agent, accepted.FD)
			require.NotZero(t, p.agent.Connect(traffic.Addr(testnet.Loopback4, closedPort)).Errno)
		},
		metrics: []string{resetsMetric, retransmitsMetric, rttMetric},
	})
}

// again returns the attributes of a retransmit by a socket in this state.
func again(why, state string) attributes {
	return attributes{retransmitTypeKey: why, "network.connection.state": state, "ebpf.tcp.retransmit.segments": int64(1)}
}

// acknowledged waits until all bytes have arrived, and returns the number of retransmitted segments.
func acknowledged(t *testing.T, s clientServer, p pair, bytes int) int {
	t.Helper()
	require.Equal(t, bytes, s.server.Receive(p.server.FD, bytes).Bytes)
	require.True(t, testreceiver.Eventually(func() bool { return s.client.Info(p.client.FD).BytesAcked >= uint64(bytes) }))
	return s.client.Info(p.client.FD).Retransmits
}

// losses are segments of established connections that get lost, and the client's retransmits.
var losses = []struct {
	name     string
	families []family
	// probes says that the client's kernel may send tail loss probes. It is off where slow acknowledgements would cause an
	// additional probe.
	probes bool
	// segments are sent at once. The first ones are lost on input; lost is their number.
	segments, lost int
	// keptBack says that the first retransmit is lost on output.
	keptBack bool
	// counted is the kernel's own count of retransmits; 0 means it is not compared.
	counted int
	// want are the types of the events.
	want []string
}{
	{
		name: "one that others follow", families: families, segments: 6, lost: 1, counted: 1,
		want: []string{"fast"}, // as soon as later segments are acknowledged
	},
	{
		name: "the last one", families: families[:2], probes: true, segments: 1, lost: 1, counted: 1,
		want: []string{"tail_loss_probe"}, // no later segment is acknowledged
	},
	{
		name: "again and again", families: families[:2], segments: 1, lost: 3, counted: 3,
		want: []string{"timeout", "timeout", "timeout"},
	},
	{
		name: "again and again, with a probe first", families: families[:2], probes: true, segments: 1, lost: 3, counted: 3,
		want: []string{"tail_loss_probe", "timeout", "timeout"},
	},
	{
		name: "what the host itself keeps from going out", families: families[:2], segments: 1, lost: 1, keptBack: true,
		want: []string{"timeout"}, // a dropped retransmit is not repeated
	},
}

func TestTCPRetransmits(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, c := range losses {
		for _, f := range c.families {
			t.Run(c.name+" "+f.name, func(t *testing.T) {
				container := testhost.NewContainer(t)
				s := newClientServer(t, traffic.In(container))
				if !c.probes {
					s.left.Sysctl(t, "net.ipv4.tcp_early_retrans", "0")
				}
				p := s.establish(t, f)
				lost := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: pushFlag, First: c.lost})
				if c.keptBack {
					kept := s.left.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_TCP, TCPFlags: pushFlag, Skip: 1, First: 1})
					defer func() { require.Equal(t, 1, kept.Packets(t)) }()
				}
				const size = 1000
				s.client.SendSegments(p.client.FD, size, c.segments)
				sent := acknowledged(t, s, p, c.segments*size)
				if c.counted > 0 {
					require.Equal(t, c.counted, sent)
				}
				require.Equal(t, c.lost, lost.Packets(t))
				checkResent(t, r, s, container, f, p, c.want)
			})
		}
	}
}

// checkResent checks the events of a client's retransmits, and the metrics of its container.
func checkResent(t *testing.T, r *testreceiver.Receiver, s clientServer, container *testhost.Cgroup, f family, p pair, types []string) {
	t.Helper()
	events := r.Exactly(t, len(types), testreceiver.Named(retransmitEvent), testreceiver.InNamespace(s.left, s.right))
	counts := map[string]int{}
	for i, e := range events {
		check(t, e, retransmitEvent, plog.SeverityNumberWarn,
			connection("tcp", "client", p.client.Local, p.server.Local, p.client.Cookie, s.left).
				with(owner(s.client.OnThread("dialer"), "socket")).with(again(types[i], "established")))
		assert.Equal(t, container.ContainerID, e.Resource["container.id"])
		assert.Contains(t, e.Body, "retransmit: "+types[i])
		counts[types[i]]++
	}
	m := r.Scrape(t).In(container)
	for why, n := range counts {
		assert.Equal(t, n, m.Int(retransmitsMetric, tcp(f.networkType, "client").With(retransmitTypeKey, why)), why)
	}
	assert.Equal(t, len(types), m.Int(retransmitsMetric, nil), "%v", m.Series(retransmitsMetric))
}

// Segments that are retransmitted together are one event. Each one counts.
func TestTCPSegmentsTogether(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	container := testhost.NewContainer(t)
	s := newClientServer(t, traffic.In(container))
	s.left.Sysctl(t, "net.ipv4.tcp_early_retrans", "0")
	p := s.establish(t, families[0])
	const size = 12_000
	rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: p.server.Local.Port()})
	s.client.Send(p.client.FD, size)
	require.True(t, testreceiver.Eventually(func() bool { return rule.Packets(t) > 0 && s.client.Info(p.client.FD).BytesSent >= size }))
	rule.Remove(t)
	sent := acknowledged(t, s, p, size)
	require.GreaterOrEqual(t, sent, size/1460, "the whole data")

	assert.Equal(t, sent, r.Scrape(t).In(container).Int(retransmitsMetric, nil))
	var total, most int64
	require.True(t, testreceiver.Eventually(func() bool {
		total, most = 0, 0
		for _, e := range r.Events.Matching(testreceiver.Named(retransmitEvent), testreceiver.OfProcess(s.client.PID)) {
			n := e.Attributes["ebpf.tcp.retransmit.segments"].(int64)
			total, most = total+n, max(most, n)
		}
		return total >= int64(sent)
	}), "%d of %d", total, sent)
	assert.EqualValues(t, sent, total)
	assert.Greater(t, most, int64(1), "after the first acknowledgement, several segments fit")
}

// handshake describes the retransmits of a handshake.
type handshake struct {
	count int
	// kind is the type of the events, state that of the socket, role the side that retransmits.
	kind, state, role string
	// want are the attributes of the connection and its owner.
	want attributes
	// in are the namespaces without other retransmits.
	in         []*testnet.Namespace
	start, end time.Time
}

// handshakes lose the first segments of connections that succeed in the end.
var handshakes = map[string]func(t *testing.T, s clientServer, f family) handshake{
	"SYN": func(t *testing.T, s clientServer, f family) handshake {
		listener := s.server.Listen(traffic.Addr(f.listen, 0))
		s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: synFlag, First: 2})
		c := s.client.OnThread("dialer").Connect(traffic.Addr(f.dial, listener.Local.Port()))
		require.Zero(t, c.Errno)
		require.Equal(t, 2, s.client.Info(c.FD).Retransmits)
		return handshake{
			count: 2, kind: "syn", state: "syn_sent", role: "client",
			want: connection("tcp", "client", c.Local, c.Remote, c.Cookie, s.left).with(owner(s.client.OnThread("dialer"), "socket")),
			in:   []*testnet.Namespace{s.left, s.right}, start: c.Start, end: c.End,
		}
	},
	// The listener retransmits the SYN-ACK, for a connection that already has a cookie.
	"SYN-ACK": func(t *testing.T, s clientServer, f family) handshake {
		listener := s.server.OnThread("listener").Listen(traffic.Addr(f.listen, 0))
		// The client retransmits its SYN after the same time. It must not be answered, too.
		lost := s.left.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: synFlag, First: 1})
		s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: synFlag, Skip: 1})
		c := s.client.Connect(traffic.Addr(f.dial, listener.Local.Port()))
		require.Zero(t, c.Errno)
		accepted := s.server.Accept(listener.FD)
		require.Equal(t, 1, lost.Packets(t))
		return handshake{
			count: 1, kind: "syn_ack", state: "syn_received", role: "server",
			want: connection("tcp", "server", c.Local, accepted.Local, accepted.Cookie, s.right).with(owner(s.server.OnThread("listener"), "socket")),
			in:   []*testnet.Namespace{s.right}, start: c.Start, end: time.Now(),
		}
	},
	// In a simultaneous open there is no listener: a side that has received the other's SYN retransmits its own SYN-ACK.
	"SYN-ACK of a client": func(t *testing.T, s clientServer, f family) handshake {
		here, there := traffic.Addr(f.clientAddress(), 40001), traffic.Addr(f.dial, 40002)
		// Lose the client's SYN, and its answer to the other side's SYN.
		lost := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: synFlag, First: 2})
		c := s.client.OnThread("dialer").StartConnectFrom(here, there)
		// The second side connects later, so that its own SYN is retransmitted later.
		time.Sleep(300 * time.Millisecond)
		d := s.server.ConnectFrom(there, here)
		end := time.Now()
		require.Zero(t, d.Errno)
		require.Equal(t, 2, lost.Packets(t))
		require.Equal(t, 1, s.client.Info(c.FD).Retransmits)
		return handshake{
			count: 1, kind: "syn_ack", state: "syn_received", role: "client",
			want: connection("tcp", "client", here, there, c.Cookie, s.left).with(owner(s.client.OnThread("dialer"), "socket")),
			in:   []*testnet.Namespace{s.left, s.right}, start: d.Start, end: end,
		}
	},
}

func TestTCPHandshakes(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for name, open := range handshakes {
		for _, f := range families[:2] {
			t.Run(name+" "+f.name, func(t *testing.T) {
				container := testhost.NewContainer(t)
				s := newClientServer(t, traffic.In(container))
				h := open(t, s, f)
				for _, e := range r.Exactly(t, h.count, testreceiver.Named(retransmitEvent), testreceiver.InNamespace(h.in...)) {
					check(t, e, retransmitEvent, plog.SeverityNumberWarn, h.want.with(again(h.kind, h.state)))
					within(t, e, h.start, h.end)
				}
				m := r.Scrape(t).In(container)
				assert.Equal(t, h.count, m.Int(retransmitsMetric, tcp(f.networkType, h.role).With(retransmitTypeKey, h.kind)))
			})
		}
	}
}

// Round trips of each side are recorded at the first segment and at the close, in µs.
func TestTCPRTT(t *testing.T) {
	testnet.Require(t)
	for _, older := range []bool{false, true} {
		for _, f := range families[:2] {
			const programs = "programs: {connection: {}, tcp: {rtt_interval: 1h}}"
			var r *testreceiver.Receiver
			if !older {
				r = testreceiver.Start(t, programs)
			}
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			p := s.establish(t, f)
			if older {
				r = testreceiver.Start(t, programs)
			}
			first := map[string]time.Duration{"client": s.client.Info(p.client.FD).RTT, "server": s.server.Info(p.server.FD).RTT}
			for range 10 {
				exchange(t, s.client, p.client.FD, s.server, p.server.FD, 100)
				exchange(t, s.server, p.server.FD, s.client, p.client.FD, 100)
			}
			closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
			closes := r.Exactly(t, 2, testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID, s.server.PID))
			m := r.Scrape(t).In(container)
			for _, e := range closes {
				role := e.Attributes["ebpf.connection.role"].(string)
				point, ok := m.Histogram(rttMetric, tcp(f.networkType, role))
				require.True(t, ok, "%s", role)
				assert.EqualValues(t, 2, point.Count(), "%s", role)
				assert.InDelta(t, (first[role] + seconds(t, e, rttKey)).Seconds(), point.Sum(), 1e-8, "%s", role)
			}
			assert.Len(t, m.Find(rttMetric), 1)
		}
	}
}

// Sampling continues during the connection, at the interval and not for every segment.
func TestTCPRTTInterval(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {tcp: {rtt_interval: 100ms}}")
	container := testhost.NewContainer(t)
	s := newClientServer(t, traffic.In(container))
	p := s.establish(t, families[0])
	begin, exchanges := time.Now(), 0
	for ; exchanges < 50 || time.Since(begin) < time.Second; exchanges++ {
		exchange(t, s.client, p.client.FD, s.server, p.server.FD, 100)
		exchange(t, s.server, p.server.FD, s.client, p.client.FD, 100)
	}
	took := time.Since(begin)
	m := r.Scrape(t).In(container)
	for _, role := range []string{"client", "server"} {
		point, ok := m.Histogram(rttMetric, tcp("ipv4", role))
		require.True(t, ok)
		assert.LessOrEqual(t, int(point.Count()), int(took/(100*time.Millisecond))+1, role)
		assert.Greater(t, int(point.Count()), 3, role)
	}
}
