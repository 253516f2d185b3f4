// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadatatest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// ignoreTimes ignores times of data points of the receiver's own telemetry.
var ignoreTimes = []metricdatatest.Option{metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars()}

var errNoPrograms = errors.New("CAP_BPF is missing")

func TestPipelinesShareOneStart(t *testing.T) {
	s := newScene(t, fakeConfig(t))
	for range 2 {
		s.start()
		require.NoError(t, s.metrics.Start(t.Context(), deliverytest.NewHost()))
	}
	assert.Equal(t, 1, s.opened)
	for range 2 {
		require.NoError(t, s.metrics.Shutdown(t.Context()))
		require.NoError(t, s.logs.Shutdown(t.Context()))
	}
	assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.History(), "once each, in this order")
	require.ErrorIs(t, s.logs.Start(t.Context(), s.host), errAlreadyShutDown)
}

func TestSettingsOfPrograms(t *testing.T) {
	config := fakeConfig(t)
	config.ErrorMode = ErrorModeIgnore
	config.RingBufferSize = mebibyte
	config.Exclude = FilterConfig{Self: true, Loopback: true, CIDRs: []CIDR{"10.1.2.3/8"}, Ports: []Port{22}, Executables: []Executable{"sshd"}}
	config.Include = IncludeConfig{
		CIDRs: []CIDR{"::1"}, Ports: []Port{80}, Executables: []Executable{"nginx"}, Containers: []program.ContainerID{"0123456789ab"}, Units: []Unit{"nginx.service"},
	}
	s := newScene(t, config)
	s.start()
	assert.EqualValues(t, 1<<20, s.options.RingSize)
	assert.True(t, s.options.KeepGoing)
	assert.NotNil(t, s.options.Emit)
	assert.True(t, s.options.Filters.Exclude.Self)
	assert.True(t, s.options.Filters.Exclude.Loopback)
	assert.Equal(t, "[10.0.0.0/8]", text(s.options.Filters.Exclude.CIDRs))
	assert.Equal(t, []uint16{22}, s.options.Filters.Exclude.Ports)
	assert.Equal(t, []string{"sshd"}, s.options.Filters.Exclude.Executables)
	include := s.options.Filters.Include
	assert.Equal(t, "[::1/128]", text(include.CIDRs))
	assert.Equal(t, []uint16{80}, include.Ports)
	assert.Equal(t, []string{"nginx"}, include.Executables)
	for container, want := range map[kernel.Container]bool{
		{ID: "0123456789abcdef"}: true, {ID: "1123456789abcdef"}: false, {Unit: "nginx.service"}: true, {Unit: "sshd.service"}: false, {}: false,
	} {
		assert.Equal(t, want, include.Cgroup(container), container)
	}
	require.NoError(t, s.shutdown(time.Second))

	s = newScene(t, fakeConfig(t))
	s.shared.component.logs = nil
	s.start()
	assert.False(t, s.options.KeepGoing)
	assert.Nil(t, s.options.Emit, "there is no consumer of events")
	require.NoError(t, s.shutdown(time.Second))
}

func TestStartErrorIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		breakIt func(*scene)
		want    string
		history []string
	}{
		"programs": {
			func(s *scene) { s.open(func(program.Options) error { return errNoPrograms }) },
			"CAP_BPF is missing", nil,
		},
		"reader": {
			func(s *scene) { s.source.readerErr, s.source.closeErr = errors.New("no memory"), errors.New("busy") },
			"no memory\nbusy",
			[]string{"detach", "close"},
		},
		"host": {
			func(s *scene) { s.shared.component.config.BTFPath = "/nowhere/kernel.btf" },
			"/nowhere/kernel.btf", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, fakeConfig(t))
			tt.breakIt(s)
			err := s.logs.Start(t.Context(), s.host)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, s.metrics.Start(t.Context(), deliverytest.NewHost()), err.Error(), "the second start must return the same error")
			assert.LessOrEqual(t, s.opened, 1)
			assert.Equal(t, tt.history, s.source.History())
			assert.Nil(t, s.shared.component.containers, "the cgroup hierarchy must be closed")
			s.assertNoGauges()
			for _, c := range []component.Component{s.logs, s.metrics, s.logs} {
				require.NoError(t, c.Shutdown(t.Context()))
			}
			assert.Equal(t, tt.history, s.source.History())
		})
	}
}

// With error_mode ignore the collector continues, and both pipelines report the error.
func TestStartErrorIsIgnored(t *testing.T) {
	for name, tt := range map[string]struct {
		breakIt func(*scene)
		want    string
	}{
		"programs": {func(s *scene) { s.open(func(program.Options) error { return errNoPrograms }) }, "CAP_BPF is missing"},
		"reader":   {func(s *scene) { s.source.readerErr = errors.New("no memory") }, "no memory"},
		"host":     {func(s *scene) { s.shared.component.config.BTFPath = "/nowhere/kernel.btf" }, "/nowhere/kernel.btf"},
	} {
		t.Run(name, func(t *testing.T) {
			config := fakeConfig(t)
			config.ErrorMode = ErrorModeIgnore
			config.Programs = Programs{"connection": {}, "packet_drop": {}}
			s := newScene(t, config)
			tt.breakIt(s)
			other := deliverytest.NewHost()
			s.start()
			require.NoError(t, s.metrics.Start(t.Context(), other))
			for _, host := range []*deliverytest.Host{s.host, other} {
				assert.Equal(t, []componentstatus.Status{componentstatus.StatusPermanentError}, host.Statuses())
				require.ErrorContains(t, host.Events()[0].Err(), tt.want)
			}
			metadatatest.AssertEqualReceiverEbpfProgramsAttached(t, s.telemetry, []metricdata.DataPoint[int64]{{}}, ignoreTimes...)
			_, err := s.telemetry.GetMetric("otelcol_receiver_ebpf_ring_utilization")
			require.Error(t, err)
			metrics, err := s.shared.component.scrape(t.Context())
			require.NoError(t, err)
			assert.Equal(t, map[string]string{"connection": "failed", "packet_drop": "failed"}, statesIn(t, metrics))
			assert.Equal(t, 1, metrics.MetricCount(), "a zero would look like a measurement")
			require.NoError(t, s.metrics.Shutdown(t.Context()))
			require.NoError(t, s.logs.Shutdown(t.Context()))
			var failed []string
			for _, state := range s.next.Named(stateEvent) {
				attributes := state.Attributes().AsRaw()
				assert.Equal(t, "failed", attributes["ebpf.program.state"])
				assert.Contains(t, attributes["ebpf.program.error.message"], tt.want)
				failed = append(failed, attributes["ebpf.program.name"].(string))
			}
			assert.Equal(t, []string{"connection", "packet_drop"}, failed)
			s.assertNoGauges()
		})
	}
}

// statesIn returns ebpf.program.state by program.
func statesIn(t *testing.T, metrics pmetric.Metrics) map[string]string {
	t.Helper()
	states := map[string]string{}
	for _, metric := range metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() != stateEvent {
			continue
		}
		for _, point := range metric.Sum().DataPoints().All() {
			assert.Equal(t, int64(1), point.IntValue())
			name, _ := point.Attributes().Get("ebpf.program.name")
			state, _ := point.Attributes().Get("ebpf.program.state")
			assert.NotContains(t, states, name.Str())
			states[name.Str()] = state.Str()
		}
	}
	return states
}

// Without any program, the receiver still reports that state, and waits for its shutdown.
func TestNothingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.ErrorMode = ErrorModeIgnore
		config.Programs = Programs{"connection": {}}
		s := newScene(t, config)
		s.open(func(program.Options) error { return errNoPrograms })
		s.start()
		deliverytest.Pass(config.Events.FlushInterval + time.Second)
		assert.Len(t, s.next.Named(stateEvent), 1)
		deliverytest.Pass(time.Hour)
		assert.Len(t, s.next.Called(), 1)
		begin := time.Now()
		require.NoError(t, s.shutdown(time.Second))
		assert.Zero(t, time.Since(begin))
	})
}

// The collector ignores a second permanent error, so the first one must name all failed programs.
func TestFailedProgramsInStatus(t *testing.T) {
	report := func(options program.Options) error {
		for _, name := range []string{"connection", "packet_drop", "socket"} {
			options.Report(program.State{Program: name, Name: program.StateLoading})
			state := program.State{Program: name, Name: program.StateFailed, Err: errors.New("program " + name + ": refused")}
			if name == "packet_drop" {
				state = program.State{Program: name, Name: program.StateAttached, Hook: "tp_btf/kfree_skb"}
			}
			options.Report(state)
		}
		return nil
	}
	config := fakeConfig(t)
	config.ErrorMode = ErrorModeIgnore
	s := newScene(t, config)
	s.open(report)
	s.start()
	require.Equal(t, []componentstatus.Status{componentstatus.StatusPermanentError}, s.host.Statuses())
	require.EqualError(t, s.host.Events()[0].Err(), "program connection: refused\nprogram socket: refused")
	assert.Equal(t, 2, s.log.FilterMessage("Program failed").Len())
	metrics, err := s.shared.component.scrape(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"connection": "failed", "packet_drop": "attached", "socket": "failed"}, statesIn(t, metrics))
	require.NoError(t, s.shutdown(time.Second))

	s = newScene(t, fakeConfig(t))
	s.open(report)
	s.start()
	assert.Empty(t, s.host.Statuses(), "with error_mode propagate, Start returns the error")
	require.NoError(t, s.shutdown(time.Second))
}

func TestShutdownWithoutStartTwice(t *testing.T) {
	s := newScene(t, fakeConfig(t))
	for range 2 {
		require.NoError(t, s.logs.Shutdown(t.Context()))
		require.NoError(t, s.metrics.Shutdown(t.Context()))
	}
	assert.Zero(t, s.opened)
	assert.Empty(t, s.source.History())
}

func TestShutdownReportsWhatIsNotClosed(t *testing.T) {
	s := newScene(t, fakeConfig(t))
	s.start()
	s.source.closeErr = errors.New("map not closed")
	for range 2 {
		require.EqualError(t, s.logs.Shutdown(t.Context()), "map not closed")
	}
	s.assertNoGauges()
}

// An error of waiting for the ring is reported. Records that were read are delivered.
func TestReaderThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.source.WaitErr = errors.New("bad file descriptor")
		s.source.WriteAll(3)
		s.start()
		deliverytest.Pass(deliverytest.AWhile)
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusPermanentError}, s.host.Statuses())
		require.ErrorContains(t, s.host.Events()[0].Err(), "bad file descriptor")
		assert.Equal(t, deliverytest.UpTo(3), s.next.IDs())
		delivered, _ := s.source.Counted()
		assert.Equal(t, 3, delivered)
		require.NoError(t, s.shutdown(time.Second))
		assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.History())
	})
}

// A program whose maps cannot be read does not affect the metrics of others.
func TestScrapeError(t *testing.T) {
	s := newScene(t, fakeConfig(t))
	s.start()
	s.source.onScrape = func(m *metrics.Builder) {
		m.For(nil).RecordEbpfEventDeliveredDataPoint(m.Now, 7, metadata.WithEbpfProgramNameMetricAttribute("connection"))
	}
	metrics, err := s.shared.component.scrape(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, metrics.DataPointCount())

	s.source.scrapeErr = errors.New("program packet_drop: no such map")
	metrics, err = s.shared.component.scrape(t.Context())
	require.ErrorContains(t, err, "program packet_drop: no such map")
	assert.True(t, scrapererror.IsPartialScrapeError(err), "otherwise the collector would drop all metrics")
	assert.Equal(t, 1, metrics.DataPointCount())

	point := metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
	assert.NotZero(t, point.StartTimestamp())
	assert.LessOrEqual(t, point.StartTimestamp(), point.Timestamp())

	require.NoError(t, s.shutdown(time.Second))
	metrics, err = s.shared.component.scrape(t.Context())
	require.NoError(t, err)
	assert.Zero(t, metrics.MetricCount(), "a scrape after the shutdown has no metrics")
}

// A running scrape ends before the maps are closed.
func TestShutdownWaitsForScrape(t *testing.T) {
	s := newScene(t, fakeConfig(t))
	s.start()
	scraping, detached, scraped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s.source.onScrape = func(*metrics.Builder) {
		close(scraping)
		select {
		case <-detached: // too early
		case <-time.After(100 * time.Millisecond):
		}
		s.source.Note("scraped")
	}
	s.shared.component.metrics = nil // without a consumer of the last counts
	s.source.onDetach = func() { close(detached) }
	go func() {
		defer close(scraped)
		_, err := s.shared.component.scrape(t.Context())
		assert.NoError(t, err)
	}()
	<-scraping
	require.NoError(t, s.shutdown(time.Minute))
	<-scraped
	assert.Equal(t, []string{"scraped", "detach", "close reader", "close"}, s.source.History())
}

// A logs pipeline that can have no events is logged as a warning.
func TestLogsPipelineWithoutEvents(t *testing.T) {
	for programs, warnings := range map[string]int{
		"{connection: {events: false}, oom: {events: false}}": 1,
		"{connection: {events: false}, oom: {}}":              0,
	} {
		synctest.Test(t, func(t *testing.T) {
			config := fakeConfig(t)
			config.Programs = mustLoad(t, "programs: "+programs).Programs
			s := newScene(t, config)
			s.start()
			assert.Equal(t, warnings, s.log.FilterMessageSnippet("No program emits events").Len(), programs)
			require.NoError(t, s.shutdown(time.Second))
		})
	}
}

func TestOwnTelemetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.source.UsedRatio = 0.25
		s.start()
		s.source.WriteAll(5)
		s.source.WriteRaw(make([]byte, 10))
		deliverytest.Pass(deliverytest.AWhile)
		metadatatest.AssertEqualReceiverEbpfRecords(t, s.telemetry, []metricdata.DataPoint[int64]{{Value: 6}}, ignoreTimes...)
		metadatatest.AssertEqualReceiverEbpfRecordsInvalid(t, s.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, ignoreTimes...)
		metadatatest.AssertEqualReceiverEbpfRingUtilization(t, s.telemetry, []metricdata.DataPoint[float64]{{Value: 0.25}}, ignoreTimes...)
		metadatatest.AssertEqualReceiverEbpfProgramsAttached(t, s.telemetry, []metricdata.DataPoint[int64]{{Value: 3}}, ignoreTimes...)
		known := int64(s.shared.component.containers.Len())
		metadatatest.AssertEqualReceiverEbpfCacheEntries(t, s.telemetry, []metricdata.DataPoint[int64]{
			{Value: known, Attributes: attribute.NewSet(attribute.String("cache", "cgroups"))},
		}, ignoreTimes...)
		accepted, refused := s.collectorCounts()
		assert.Equal(t, 5+1, accepted, "the events, and the loss event of the undecodable record")
		assert.Zero(t, refused)
		require.NoError(t, s.shutdown(time.Second))
		s.assertNoGauges()
		s.shared.component.source = s.source
		s.assertNoGauges() // after the shutdown
	})
}

// assertNoGauges checks that no metrics are published about programs that do not run.
func (s *scene) assertNoGauges() {
	s.t.Helper()
	for _, name := range []string{"ring_utilization", "programs_attached", "cache_entries"} {
		_, err := s.telemetry.GetMetric("otelcol_receiver_ebpf_" + name)
		require.Error(s.t, err, name)
	}
}
