// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Each ordinary connection has a connect, an accept and two closes.
const eventsPerConnection = 4

// isolated returns a configuration that reports only the test's own IPv4 traffic, so that sums are exact.
func isolated(settings string) string {
	return fmt.Sprintf("exclude: {cidrs: %s}\nprograms: {connection: {}}\n%s", testreceiver.AllBut(testnet.Prefix4), settings)
}

// flood makes connections one after the other and waits until both sides have closed them.
func flood(t *testing.T, s clientServer, count int) {
	t.Helper()
	listener := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	s.server.Serve(listener.FD, count)
	s.client.Flood(listener.Local, count, 10)
	require.Equal(t, count, s.server.Served(listener.FD))
}

// connectionEvents is how many connection events were delivered.
func connectionEvents(r *testreceiver.Receiver) int {
	return len(r.Events.Matching(testreceiver.Named(connectEvent, acceptEvent, closeEvent)))
}

// With the smallest ring and a blocked consumer, most events are lost. Each loss is counted, and the metrics are exact.
func TestStalledConsumer(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, isolated("ring_buffer_size: 64KiB"))
	r.Settle(t)
	release := make(chan struct{})
	stalled := make(chan struct{}, 1000)
	r.Events.Answer(func(context.Context) error {
		stalled <- struct{}{}
		<-release
		return nil
	})
	s := newClientServer(t)
	const first, count = 10, 3000
	begin := time.Now()
	flood(t, s, first)
	<-stalled // the consumer is blocked with a batch
	flood(t, s, count)
	end := time.Now()
	r.Events.Answer(nil)
	close(release)

	const sent = eventsPerConnection * (first + count)
	name := testreceiver.Attributes{"ebpf.program.name": "connection"}
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool {
		return connectionEvents(r)+lost(m, "connection")["ring_full"] >= sent
	})
	// The barrier of the start was delivered, too.
	barrier := len(r.Events.Matching(testreceiver.Named(connectEvent), testreceiver.With("server.address", testreceiver.BarrierPrefix.Addr().String())))
	missing := lost(m, "connection")
	assert.Equal(t, sent+barrier, connectionEvents(r)+missing["ring_full"], "delivered and counted as lost")
	assert.Greater(t, missing["ring_full"], sent/2, "the test needs losses")
	assert.Len(t, missing, 1, "%v", missing)
	assert.Equal(t, connectionEvents(r), m.Int("ebpf.event.delivered", name))

	for _, role := range []string{"client", "server"} {
		series := tcp("ipv4", role)
		assert.Equal(t, first+count, m.Int(openedMetric, series))
		assert.Equal(t, 0, m.Int(activeMetric, series))
		point, ok := m.Histogram(durationMetric, series)
		require.True(t, ok)
		assert.EqualValues(t, first+count, point.Count())
	}
	assert.Equal(t, 10*(first+count), m.Int(ioMetric, tcp("ipv4", "client").With("network.io.direction", "transmit")))
	point, ok := m.Histogram(handshakeMetric, testreceiver.Attributes{"network.transport": "tcp", "network.type": "ipv4"})
	require.True(t, ok)
	assert.EqualValues(t, first+count, point.Count())

	// The loss is also an event in the stream: after the next record of each CPU, or at the end.
	require.NoError(t, r.Shutdown())
	total := 0
	for _, e := range r.Events.Matching(testreceiver.Named(lostEvent)) {
		assert.Equal(t, "WARN", e.SeverityText)
		assert.Equal(t, "ring_full", e.Attributes["ebpf.loss.cause"])
		total += int(e.Attributes["ebpf.loss.count"].(int64))
		from, to := time.Unix(0, e.Attributes["ebpf.loss.start"].(int64)), time.Unix(0, e.Attributes["ebpf.loss.end"].(int64))
		assert.False(t, from.After(to), "%s", e)
		assert.False(t, to.Before(begin), "%s: ends before the loss", e)
		assert.False(t, from.After(end), "%s: begins after the loss", e)
	}
	assert.Equal(t, missing["ring_full"], total, "the gaps in the sequence are the losses")
}

// There is still room for failed connects in a ring that is full of ordinary events.
func TestFullRingHasRoomForFailures(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, isolated("ring_buffer_size: 64KiB"))
	r.Settle(t)
	release, stalled := make(chan struct{}), make(chan struct{}, 1000)
	r.Events.Answer(func(context.Context) error {
		stalled <- struct{}{}
		<-release
		return nil
	})
	s := newClientServer(t)
	flood(t, s, 1)
	<-stalled
	flood(t, s, 1000)
	const failures = 10
	for range failures {
		s.client.Close(s.client.Connect(traffic.Addr(testnet.Right.IPv4, closedPort)).FD)
	}
	r.Events.Answer(nil)
	close(release)
	r.Exactly(t, failures, testreceiver.Named(connectEvent), testreceiver.OfProcess(s.client.PID), testreceiver.With("error.type", "refused"))
}

// A consumer that refuses for a while gets all events in the end, and the receiver's status follows.
func TestConsumerThatFailsForAWhile(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "retry_on_failure: {enabled: true}\n"+isolated(""))
	r.Settle(t)
	known := len(r.Host.Statuses())
	s := newClientServer(t)
	r.Events.Answer(func(context.Context) error { return errors.New("no room at the moment") })
	const count = 500
	flood(t, s, count)
	require.True(t, testreceiver.Eventually(func() bool { return r.Host.Reported(componentstatus.StatusRecoverableError, known) }), "the failure is not reported")
	calls := r.Events.Calls()
	require.True(t, testreceiver.Eventually(func() bool { return r.Events.Calls() > calls }), "there is no retry")
	assert.False(t, r.Host.Reported(componentstatus.StatusOK, known))
	r.Events.Answer(nil)

	r.Exactly(t, eventsPerConnection*count, testreceiver.OfProcess(s.client.PID, s.server.PID))
	require.True(t, testreceiver.Eventually(func() bool { return r.Host.Reported(componentstatus.StatusOK, known) }), "the recovery is not reported")
	for _, e := range r.Host.Statuses()[known:] {
		if e.Status() == componentstatus.StatusRecoverableError {
			assert.ErrorContains(t, e.Err(), "no room at the moment")
		}
	}
	assert.Empty(t, lost(r.Scrape(t), "connection"))
	assert.Empty(t, r.Events.Matching(testreceiver.Named(lostEvent)))
}

// A batch that is refused permanently is not offered again, and its events are counted as lost.
func TestConsumerThatFailsForGood(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, isolated(""))
	r.Settle(t)
	delivered := connectionEvents(r)
	s := newClientServer(t)
	r.Events.Answer(func(context.Context) error { return consumererror.NewPermanent(errors.New("refused permanently")) })
	const count = 500
	flood(t, s, count)
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return lost(m, "connection")["refused"] >= eventsPerConnection*count })
	assert.Equal(t, map[string]int{"refused": eventsPerConnection * count}, lost(m, "connection"))
	r.Events.Answer(nil)
	r.Settle(t)
	assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(s.client.PID, s.server.PID)), "refused events must not come again")
	m = r.Scrape(t)
	assert.Equal(t, map[string]int{"refused": eventsPerConnection * count}, lost(m, "connection"))
	assert.Equal(t, connectionEvents(r), m.Int("ebpf.event.delivered", testreceiver.Attributes{"ebpf.program.name": "connection"}))
	assert.Greater(t, connectionEvents(r), delivered, "the barrier")
	assert.Equal(t, count, m.Int(openedMetric, tcp("ipv4", "client")))
}

// Some batches are refused, others accepted: delivered and refused events add up to all.
func TestConsumerThatRefusesSome(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, isolated("events: {batch_size: 64}"))
	r.Settle(t)
	s := newClientServer(t)
	calls := 0
	r.Events.Answer(func(context.Context) error {
		calls++
		switch calls % 3 {
		case 0:
			return consumererror.NewPermanent(errors.New("refused permanently"))
		case 1:
			return errors.New("not now")
		}
		return nil
	})
	const count = 300
	flood(t, s, count)
	sent := eventsPerConnection * count
	var m testreceiver.Scrape
	r.ScrapeUntil(t, func(now testreceiver.Scrape) bool {
		m = now
		return len(r.Events.Matching(testreceiver.OfProcess(s.client.PID, s.server.PID)))+lost(m, "connection")["refused"] >= sent
	})
	delivered := len(r.Events.Matching(testreceiver.OfProcess(s.client.PID, s.server.PID)))
	assert.Equal(t, sent, delivered+lost(m, "connection")["refused"])
	assert.Positive(t, delivered)
	assert.Positive(t, lost(m, "connection")["refused"])
}
