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

var _ = counts("tcp", forContainer{
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

// again is the attributes of something that a socket in a state has sent again.
func again(why, state string) attributes {
	return attributes{retransmitTypeKey: why, "network.connection.state": state, "ebpf.tcp.retransmit.segments": int64(1)}
}

// acknowledged waits until all that was sent has arrived, and returns how many segments were sent again.
func acknowledged(t *testing.T, s scene, p pair, bytes int) int {
	t.Helper()
	require.Equal(t, bytes, s.server.Receive(p.server.FD, bytes).Bytes)
	require.True(t, testreceiver.Eventually(func() bool { return s.client.Info(p.client.FD).BytesAcked >= uint64(bytes) }))
	return s.client.Info(p.client.FD).Retransmits
}

// resent checks the events of what a client has sent again, and what the metrics of its container say of it.
func resent(t *testing.T, r *testreceiver.Receiver, s scene, container *testnet.Cgroup, f family, p pair, types ...string) {
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

// One lost segment that others follow is sent again as soon as their acknowledgements tell.
func TestTCPFastRetransmit(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			container := testnet.NewContainer(t)
			s := newScene(t, traffic.In(container))
			// Where the acknowledgements are slow, there would be a probe, too.
			s.left.Sysctl(t, "net.ipv4.tcp_early_retrans", "0")
			p := s.establish(t, f)
			const size, count = 1000, 6
			rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: pushFlag, First: 1})
			s.client.SendSegments(p.client.FD, size, count)
			require.Equal(t, 1, acknowledged(t, s, p, count*size))
			require.Equal(t, 1, rule.Packets(t))
			resent(t, r, s, container, f, p, "fast")
		})
	}
}

// The last segment has none behind it whose acknowledgement could tell that it is lost: it is sent again as a probe.
func TestTCPTailLossProbe(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families[:2] {
		container := testnet.NewContainer(t)
		s := newScene(t, traffic.In(container))
		p := s.establish(t, f)
		s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: pushFlag, First: 1})
		s.client.Send(p.client.FD, 100)
		require.Equal(t, 1, acknowledged(t, s, p, 100))
		resent(t, r, s, container, f, p, "tail_loss_probe")
	}
}

func TestTCPTimeout(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, probes := range []bool{false, true} {
		for _, f := range families[:2] {
			container := testnet.NewContainer(t)
			s := newScene(t, traffic.In(container))
			want := []string{"tail_loss_probe", "timeout", "timeout"}
			if !probes {
				s.left.Sysctl(t, "net.ipv4.tcp_early_retrans", "0")
				want[0] = "timeout"
			}
			p := s.establish(t, f)
			s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: pushFlag, First: 3})
			s.client.Send(p.client.FD, 100)
			require.Equal(t, 3, acknowledged(t, s, p, 100))
			resent(t, r, s, container, f, p, want...)
		}
	}
}

// Segments that go out together are one event, and each counts.
func TestTCPSegmentsTogether(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	container := testnet.NewContainer(t)
	s := newScene(t, traffic.In(container))
	s.left.Sysctl(t, "net.ipv4.tcp_early_retrans", "0")
	p := s.establish(t, families[0])
	const size = 12_000
	rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: p.server.Local.Port()})
	s.client.Send(p.client.FD, size)
	require.True(t, testreceiver.Eventually(func() bool { return rule.Packets(t) > 0 && s.client.Info(p.client.FD).BytesSent >= size }))
	rule.Remove(t)
	sent := acknowledged(t, s, p, size)
	require.GreaterOrEqual(t, sent, size/1460, "all of it")

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
	assert.Greater(t, most, int64(1), "after the first one is acknowledged, there is room for more")
}

// What the host itself keeps from going out is not sent again.
func TestTCPSegmentThatFails(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families[:2] {
		container := testnet.NewContainer(t)
		s := newScene(t, traffic.In(container))
		s.left.Sysctl(t, "net.ipv4.tcp_early_retrans", "0")
		p := s.establish(t, f)
		s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: pushFlag, First: 1})
		kept := s.left.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_TCP, TCPFlags: pushFlag, Skip: 1, First: 1})
		s.client.Send(p.client.FD, 100)
		acknowledged(t, s, p, 100)
		require.Equal(t, 1, kept.Packets(t))
		resent(t, r, s, container, f, p, "timeout")
	}
}

func TestTCPSYN(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families[:2] {
		container := testnet.NewContainer(t)
		s := newScene(t, traffic.In(container))
		listener := s.server.Listen(traffic.Addr(f.listen, 0))
		s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: synFlag, First: 2})
		c := s.client.OnThread("dialer").Connect(traffic.Addr(f.dial, listener.Local.Port()))
		require.Zero(t, c.Errno)
		require.Equal(t, 2, s.client.Info(c.FD).Retransmits)
		for _, e := range r.Exactly(t, 2, testreceiver.Named(retransmitEvent), testreceiver.InNamespace(s.left, s.right)) {
			check(t, e, retransmitEvent, plog.SeverityNumberWarn,
				connection("tcp", "client", c.Local, c.Remote, c.Cookie, s.left).
					with(owner(s.client.OnThread("dialer"), "socket")).with(again("syn", "syn_sent")))
			within(t, e, c.Start, c.End)
		}
		m := r.Scrape(t).In(container)
		assert.Equal(t, 2, m.Int(retransmitsMetric, tcp(f.networkType, "client").With(retransmitTypeKey, "syn")))
	}
}

// The listener sends it again, for a connection that has a cookie already.
func TestTCPSYNACK(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families[:2] {
		container := testnet.NewContainer(t)
		s := newScene(t, traffic.In(container))
		listener := s.server.OnThread("listener").Listen(traffic.Addr(f.listen, 0))
		// The client's own SYN comes again after the same time; it must not get an answer to that as well.
		rule := s.left.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: synFlag, First: 1})
		s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: synFlag, Skip: 1})
		c := s.client.Connect(traffic.Addr(f.dial, listener.Local.Port()))
		require.Zero(t, c.Errno)
		accepted := s.server.Accept(listener.FD)
		require.Equal(t, 1, rule.Packets(t))

		events := r.Exactly(t, 1, testreceiver.Named(retransmitEvent), testreceiver.OfProcess(s.server.PID))
		check(t, events[0], retransmitEvent, plog.SeverityNumberWarn,
			connection("tcp", "server", c.Local, accepted.Local, accepted.Cookie, s.right).
				with(owner(s.server.OnThread("listener"), "socket")).with(again("syn_ack", "syn_received")))
		within(t, events[0], c.Start, time.Now())
		m := r.Scrape(t).In(container)
		assert.Equal(t, 1, m.Int(retransmitsMetric, tcp(f.networkType, "server").With(retransmitTypeKey, "syn_ack")))
	}
}

// Two who connect to each other at once have no listener: who has got the other one's SYN sends its own answer again.
func TestTCPSYNACKOfClient(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyTCP)
	for _, f := range families[:2] {
		container := testnet.NewContainer(t)
		s := newScene(t, traffic.In(container))
		here, there := traffic.Addr(f.clientAddress(), 40001), traffic.Addr(f.dial, 40002)
		// Its SYN, and its answer to the other one's.
		rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: synFlag, First: 2})
		c := s.client.OnThread("dialer").StartConnectFrom(here, there)
		// The second to connect is as much later in sending its own SYN again.
		time.Sleep(300 * time.Millisecond)
		d := s.server.ConnectFrom(there, here)
		end := time.Now()
		require.Zero(t, d.Errno)
		require.Equal(t, 2, rule.Packets(t))
		require.Equal(t, 1, s.client.Info(c.FD).Retransmits)

		e := r.Exactly(t, 1, testreceiver.Named(retransmitEvent), testreceiver.InNamespace(s.left, s.right))[0]
		check(t, e, retransmitEvent, plog.SeverityNumberWarn,
			connection("tcp", "client", here, there, c.Cookie, s.left).
				with(owner(s.client.OnThread("dialer"), "socket")).with(again("syn_ack", "syn_received")))
		within(t, e, d.Start, end)
		m := r.Scrape(t).In(container)
		assert.Equal(t, 1, m.Int(retransmitsMetric, tcp(f.networkType, "client").With(retransmitTypeKey, "syn_ack")))
	}
}

// Each side has its round trips counted when the first segment comes, and at the close, to the µs.
func TestTCPRTT(t *testing.T) {
	testnet.Require(t)
	for _, older := range []bool{false, true} {
		for _, f := range families[:2] {
			const programs = "programs: {connection: {}, tcp: {rtt_interval: 1h}}"
			var r *testreceiver.Receiver
			if !older {
				r = testreceiver.Start(t, programs)
			}
			container := testnet.NewContainer(t)
			s := newScene(t, traffic.In(container))
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

// What is sampled goes on as the connection does, at the interval and not with every segment.
func TestTCPRTTInterval(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {tcp: {rtt_interval: 100ms}}")
	container := testnet.NewContainer(t)
	s := newScene(t, traffic.In(container))
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
