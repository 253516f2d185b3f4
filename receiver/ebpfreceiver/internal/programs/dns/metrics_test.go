// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/dns"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

// look makes the program see a look-up of that duration.
func (s *scene) look(id uint16, name string, kind uint16, code int, duration uint64, set ...func(*bpf.DNSQuery)) {
	s.t.Helper()
	q := query(s.t, id, name, kind)
	s.take(sentRecord(0, q, set...), receivedRecord(duration, reply(s.t, q, code)))
}

func TestScrapeGolden(t *testing.T) {
	for _, kind := range []histogram.Kind{histogram.Explicit, histogram.Exponential} {
		t.Run(string(kind), func(t *testing.T) {
			s := newScene(t)
			s.host.Histogram = kind
			s.look(1, "a.test", dns.TypeA, dns.RcodeSuccess, ms)
			s.look(2, "b.test", dns.TypeA, dns.RcodeSuccess, 3*ms)
			s.look(3, "a.test", dns.TypeAAAA, dns.RcodeNameError, 50*ms)
			s.look(4, "a.test", dns.TypeA, dns.RcodeSuccess, 7*ms, nobodys)
			s.look(5, "a.test", dns.TypeA, dns.RcodeSuccess, 7*ms, func(q *bpf.DNSQuery) { q.Owner.Cgroup = 1 })
			s.take(sentRecord(0, query(t, 6, "a.test", dns.TypeA)))
			s.expire(begin + uint64(s.config.Timeout))
			m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
			s.durations.record(s.host, m)
			programtest.CompareMetrics(t, "metrics_"+string(kind)+".yaml", m.Emit())
		})
	}
}

// Look-ups without room for their series are counted in the overflow series. Names are in lower case.
func TestScrapeOverflow(t *testing.T) {
	s := newScene(t)
	s.host.ByQuestion = true
	s.look(1, "A.test", dns.TypeA, dns.RcodeSuccess, ms)
	s.look(2, "a.TEST", dns.TypeA, dns.RcodeSuccess, ms)
	for kind := range uint16(maxSeries + 10) {
		s.look(3, "b.test", 1000+kind, dns.RcodeSuccess, ms)
	}
	require.Len(t, s.durations, maxSeries+1)
	m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
	s.durations.record(s.host, m)
	counts := map[string]uint64{}
	for _, rm := range m.Emit().ResourceMetrics().All() {
		for _, p := range rm.ScopeMetrics().At(0).Metrics().At(0).Histogram().DataPoints().All() {
			if _, ok := p.Attributes().Get("otel.metric.overflow"); ok {
				require.Equal(t, 1, p.Attributes().Len())
				counts["overflow"] += p.Count()
				continue
			}
			name, _ := p.Attributes().Get("dns.question.name")
			counts[name.Str()] += p.Count()
		}
	}
	assert.Equal(t, map[string]uint64{"a.test": 2, "b.test": maxSeries - 1, "overflow": 11}, counts)
}

func TestScrapeDisabled(t *testing.T) {
	s := newScene(t)
	s.host.Histograms.DNSLookupDuration.Enabled = false
	s.look(1, "a.test", dns.TypeA, dns.RcodeSuccess, ms)
	m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
	s.durations.record(s.host, m)
	assert.Zero(t, m.Emit().MetricCount())
}
