// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	openedMetric    = "ebpf.connection.opened"
	failedMetric    = "ebpf.connection.failed"
	activeMetric    = "ebpf.connection.active"
	ioMetric        = "ebpf.connection.io"
	durationMetric  = "ebpf.connection.duration"
	handshakeMetric = "ebpf.connection.handshake.duration"
)

func init() {
	counts("connection", forContainer{
		act: func(_ *testing.T, p place) {
			listener := p.agent.Listen(traffic.Addr(testnet.Loopback4, 0))
			c := p.agent.Connect(listener.Local)
			accepted := p.agent.Accept(listener.FD)
			p.agent.Send(c.FD, 100)
			p.agent.Receive(accepted.FD, 100)
			closeInTurn(p.agent, c.FD, p.agent, accepted.FD)
			p.agent.Connect(traffic.Addr(testnet.Loopback4, closedPort))
		},
		metrics: []string{openedMetric, failedMetric, activeMetric, ioMetric, durationMetric, handshakeMetric},
	})
}

// tcp returns the attributes of TCP connections of a network type and role.
func tcp(networkType, role string) testreceiver.Attributes {
	return testreceiver.Attributes{"network.transport": "tcp", "network.type": networkType, "ebpf.connection.role": role}
}

// everything opens connections of each type, sends bytes in both directions, leaves `open` of them open, and makes others
// fail. It returns the open ones.
func everything(t *testing.T, s clientServer, counts map[string]int, up, down int, open map[string]int) (left []pair) {
	t.Helper()
	for _, f := range families[:2] {
		for i := range counts[f.networkType] {
			p := s.establish(t, f)
			exchange(t, s.client, p.client.FD, s.server, p.server.FD, up)
			exchange(t, s.server, p.server.FD, s.client, p.client.FD, down)
			if i < open[f.networkType] {
				left = append(left, p)
			} else {
				closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
			}
		}
	}
	rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: 9})
	for range 3 {
		s.client.Close(s.client.Connect(traffic.Addr(testnet.Right.IPv4, closedPort)).FD)
	}
	s.client.Close(s.client.Connect(traffic.Addr(testnet.Right.IPv6, closedPort)).FD)
	for i := range 2 {
		c := s.client.StartConnect(traffic.Addr(testnet.Right.IPv6, 9))
		require.True(t, testreceiver.Eventually(func() bool { return rule.Packets(t) > i }), "no SYN was sent")
		s.client.Close(c.FD)
	}
	socket := s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	for port := range uint16(4) {
		s.client.SendTo(socket.FD, traffic.Addr(testnet.Right.IPv4, 2000+port), 10)
	}
	s.client.ConnectUDP(s.client.OpenUDP(traffic.Addr(testnet.Left.IPv6, 0)).FD, traffic.Addr(testnet.Right.IPv6, 2000))
	return left
}

func TestConnectionMetrics(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	container := testhost.NewContainer(t)
	s := newClientServer(t, traffic.In(container))
	const up, down = 300, 7000
	counts, open := map[string]int{"ipv4": 5, "ipv6": 3}, map[string]int{"ipv4": 2, "ipv6": 1}
	left := everything(t, s, counts, up, down, open)
	const failed, udpPeers = 6, 5
	r.Exactly(t, failed+udpPeers+2*(5+3)+2*(3+2), testreceiver.OfProcess(s.client.PID, s.server.PID))

	for _, p := range left {
		acknowledgeAll(t, s.client, p.client.FD)
		acknowledgeAll(t, s.server, p.server.FD)
	}
	m := scrapeBytes(t, r, 2*(5+3)*(up+down), container).In(container)
	for networkType, n := range counts {
		closed := n - open[networkType]
		for role, sent := range map[string]int{"client": up, "server": down} {
			series := tcp(networkType, role)
			assert.Equal(t, n, m.Int(openedMetric, series), "opened %v", series)
			assert.Equal(t, n-closed, m.Int(activeMetric, series), "active %v", series)
			assert.Equal(t, n*sent, m.Int(ioMetric, series.With("network.io.direction", "transmit")), "sent %v", series)
			assert.Equal(t, n*(up+down-sent), m.Int(ioMetric, series.With("network.io.direction", "receive")), "received %v", series)
			point, ok := m.Histogram(durationMetric, series)
			require.True(t, ok, "duration %v", series)
			assert.EqualValues(t, closed, point.Count(), "duration %v", series)
		}
	}
	assert.ElementsMatch(t, []testreceiver.Series{
		{Attributes: testreceiver.Attributes{"network.transport": "tcp", "network.type": "ipv4", "error.type": "refused", causeKey: "reset_by_peer"}, Value: 3},
		{Attributes: testreceiver.Attributes{"network.transport": "tcp", "network.type": "ipv6", "error.type": "refused", causeKey: "reset_by_peer"}, Value: 1},
		{Attributes: testreceiver.Attributes{"network.transport": "tcp", "network.type": "ipv6", "error.type": "aborted", causeKey: "local_drop"}, Value: 2},
	}, m.Series(failedMetric))
	udp := func(networkType string) testreceiver.Attributes {
		return testreceiver.Attributes{"network.transport": "udp", "network.type": networkType, "ebpf.connection.role": "client"}
	}
	assert.Equal(t, 4, m.Int(openedMetric, udp("ipv4")))
	assert.Equal(t, 1, m.Int(openedMetric, udp("ipv6")))
	assert.Len(t, m.Series(openedMetric), 6, "%v", m.Series(openedMetric))

	for _, p := range left {
		closeInTurn(s.server, p.server.FD, s.client, p.client.FD)
	}
	r.Exactly(t, 2*(5+3), testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID, s.server.PID))
	m = r.Scrape(t).In(container)
	for networkType, n := range counts {
		for role, sent := range map[string]int{"client": up, "server": down} {
			series := tcp(networkType, role)
			assert.Equal(t, n, m.Int(openedMetric, series))
			assert.Equal(t, 0, m.Int(activeMetric, series))
			assert.Equal(t, n*sent, m.Int(ioMetric, series.With("network.io.direction", "transmit")))
		}
	}
	assert.Equal(t, []map[string]any{{
		"container.id": container.ContainerID, "k8s.pod.uid": container.PodUID, "process.linux.cgroup": "0::" + container.Path,
	}}, m.Resources(openedMetric))
}

// durations returns the values of an attribute in seconds, by type and role of the events.
func durations(events []testreceiver.Event, key string) map[[2]string][]float64 {
	found := map[[2]string][]float64{}
	for _, e := range events {
		// A failed handshake has no duration.
		if value, ok := e.Attributes[key].(float64); ok && e.Attributes["error.type"] == nil {
			series := [2]string{e.Attributes["network.type"].(string), e.Attributes["ebpf.connection.role"].(string)}
			found[series] = append(found[series], value)
		}
	}
	return found
}

// histogramSeries returns the attributes of a histogram's points by type and role of the events.
func histogramSeries(metric string, series [2]string) testreceiver.Attributes {
	a := tcp(series[0], series[1])
	if metric == handshakeMetric {
		delete(a, "ebpf.connection.role")
	}
	return a
}

// Histograms hold exactly what the events say, in the right buckets.
func TestConnectionHistograms(t *testing.T) {
	testnet.Require(t)
	for kind, compare := range map[string]func(t *testing.T, m testreceiver.Scrape, name string, series testreceiver.Attributes, values []float64){
		"explicit": compareExplicit, "exponential": compareExponential,
	} {
		t.Run(kind, func(t *testing.T) {
			r := testreceiver.Start(t, "histogram: "+kind+"\n"+onlyConnection)
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			everything(t, s, map[string]int{"ipv4": 8, "ipv6": 4}, 10, 10, nil)
			r.Exactly(t, 2*(8+4), testreceiver.Named(closeEvent), testreceiver.OfProcess(s.client.PID, s.server.PID))
			m := r.Scrape(t).In(container)
			events := r.Events.Matching(testreceiver.OfProcess(s.client.PID, s.server.PID))
			for metric, want := range map[string]struct {
				key    string
				series int
			}{handshakeMetric: {handshakeKey, 2}, durationMetric: {durationKey, 4}} {
				values := durations(events, want.key)
				require.Len(t, values, want.series, "%v", slices.Collect(maps.Keys(values)))
				for series, seconds := range values {
					compare(t, m, metric, histogramSeries(metric, series), seconds)
				}
			}
		})
	}
}

func compareExplicit(t *testing.T, m testreceiver.Scrape, name string, series testreceiver.Attributes, values []float64) {
	t.Helper()
	point, ok := m.Histogram(name, series)
	require.True(t, ok, "no explicit histogram %s %v", name, series)
	compareTotals(t, point.Count(), point.Sum(), values)
	bounds, counts := point.ExplicitBounds().AsRaw(), point.BucketCounts().AsRaw()
	require.Len(t, counts, len(bounds)+1)
	assert.True(t, slices.IsSorted(bounds))
	want := make([]uint64, len(counts))
	for _, v := range values {
		i, _ := slices.BinarySearch(bounds, v) // upper bounds are inclusive
		want[i]++
	}
	assert.Equal(t, want, counts, "%s %v of %v", name, series, values)
}

func compareExponential(t *testing.T, m testreceiver.Scrape, name string, series testreceiver.Attributes, values []float64) {
	t.Helper()
	point, ok := m.Exponential(name, series)
	require.True(t, ok, "no exponential histogram %s %v", name, series)
	compareTotals(t, point.Count(), point.Sum(), values)
	assert.Zero(t, point.Negative().BucketCounts().Len())
	want := map[int]uint64{}
	zero := uint64(0)
	for _, v := range values {
		if v <= point.ZeroThreshold() {
			zero++
			continue
		}
		// Bucket i is (2^(i·2^-scale), 2^((i+1)·2^-scale)].
		want[int(math.Ceil(math.Log2(v)*math.Ldexp(1, int(point.Scale()))))-1]++
	}
	assert.Equal(t, zero, point.ZeroCount())
	have := map[int]uint64{}
	for i, n := range point.Positive().BucketCounts().All() {
		if n > 0 {
			have[int(point.Positive().Offset())+i] = n
		}
	}
	assert.Equal(t, want, have, "%s %v of %v", name, series, values)
}

func compareTotals(t *testing.T, count uint64, sum float64, values []float64) {
	t.Helper()
	assert.EqualValues(t, len(values), count)
	want := 0.0
	for _, v := range values {
		want += v
	}
	assert.InDelta(t, want, sum, 1e-9*float64(len(values)), "sum")
}

// Metrics have the types, units and temporality that dashboards rely on.
func TestConnectionMetricTypes(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	p := s.establish(t, families[0])
	closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
	s.client.Connect(traffic.Addr(testnet.Right.IPv4, closedPort))
	r.Exactly(t, 5, testreceiver.OfProcess(s.client.PID, s.server.PID))
	m := r.Scrape(t)
	for name, want := range map[string]struct {
		unit      string
		monotonic bool
	}{
		openedMetric: {"{connection}", true}, failedMetric: {"{connection}", true}, activeMetric: {"{connection}", false},
		ioMetric: {"By", true}, "ebpf.event.delivered": {"{event}", true}, "ebpf.event.lost": {"{event}", true},
	} {
		found := m.Find(name)
		require.NotEmpty(t, found, name)
		for _, metric := range found {
			assert.Equal(t, want.unit, metric.Unit(), name)
			assert.NotEmpty(t, metric.Description(), name)
			require.Equal(t, pmetric.MetricTypeSum, metric.Type(), name)
			assert.Equal(t, want.monotonic, metric.Sum().IsMonotonic(), name)
			assert.Equal(t, pmetric.AggregationTemporalityCumulative, metric.Sum().AggregationTemporality(), name)
			for _, point := range metric.Sum().DataPoints().All() {
				assert.NotZero(t, point.StartTimestamp(), name)
				assert.Less(t, point.StartTimestamp(), point.Timestamp(), name)
			}
		}
	}
	for _, name := range []string{durationMetric, handshakeMetric} {
		found := m.Find(name)
		require.NotEmpty(t, found, name)
		for _, metric := range found {
			assert.Equal(t, "s", metric.Unit(), name)
			require.Equal(t, pmetric.MetricTypeHistogram, metric.Type(), name)
			assert.Equal(t, pmetric.AggregationTemporalityCumulative, metric.Histogram().AggregationTemporality(), name)
			for _, point := range metric.Histogram().DataPoints().All() {
				assert.NotZero(t, point.StartTimestamp(), name)
			}
		}
	}
}

// Without events the metrics are the same.
func TestConnectionMetricsWithoutEvents(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {events: false}}")
	container := testhost.NewContainer(t)
	s := newClientServer(t, traffic.In(container))
	for range 5 {
		p := s.establish(t, families[0])
		closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
	}
	// Without events, the test cannot know when the last close is counted.
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.In(container).Int(activeMetric, nil) == 0 }).In(container)
	for _, role := range []string{"client", "server"} {
		assert.Equal(t, 5, m.Int(openedMetric, tcp("ipv4", role)))
		assert.Equal(t, 0, m.Int(activeMetric, tcp("ipv4", role)))
	}
	assert.Empty(t, r.Events.Matching(testreceiver.Named(connectEvent, acceptEvent, closeEvent)))
	assert.Zero(t, r.Scrape(t).Int("ebpf.event.delivered", testreceiver.Attributes{"ebpf.program.name": "connection"}))
}
