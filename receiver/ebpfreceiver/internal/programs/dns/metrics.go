// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	// maxSeries bounds the series. Look-ups without a series are counted as overflow.
	maxSeries = 4096
	// scrapesKept is the number of scrapes with the series of a container that has ended: its last look-ups must be exported.
	scrapesKept = 3
)

// series identifies a series as users see it.
type series struct {
	// container is nil for the host.
	container *kernel.Container
	overflow  bool
	errorType string
	kind      string
	transport uint8
	// name is empty if metrics have no series per name.
	name string
}

// counts are the look-ups of a series.
type counts struct {
	slots [histogram.Slots]uint64
	sum   uint64 // ns
	// cgroup is the container's cgroup of the last look-up.
	cgroup uint64
	// gone is the number of scrapes since the container has ended.
	gone int
}

// durations are the look-ups so far. They are counted here and not by the BPF side, because only user space pairs queries with answers.
type durations map[series]*counts

func (d durations) add(host *program.Host, l *lookup) {
	s := series{
		container: host.Containers.Lookup(l.owner.Cgroup), errorType: l.errorType(), kind: l.question.kindName(), transport: l.transport,
	}
	if host.ByQuestion {
		s.name = l.key.name
	}
	c := d[s]
	if c == nil && len(d) >= maxSeries {
		s = series{overflow: true}
		c = d[s]
	}
	if c == nil {
		c = &counts{}
		d[s] = c
	}
	c.cgroup = l.owner.Cgroup
	c.sum += l.end - l.first
	c.slots[host.Histogram.Slot(l.end-l.first)]++
}

// Scrape implements program.Program. It also times look-ups out, if no record that may be their answer is still in the ring.
func (n *names) Scrape(m *metrics.Builder) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	now, err := n.host.Clock.Monotonic()
	if err != nil {
		return err
	}
	all, err := n.hasReadAll()
	if all {
		n.expire(now)
	}
	n.connections.dropIdle(now)
	n.durations.record(n.host, m)
	return err
}

func (d durations) record(host *program.Host, m *metrics.Builder) {
	for s, c := range d {
		if d.hasEnded(m, s, c) {
			delete(d, s)
			continue
		}
		if host.Histograms.DNSLookupDuration.Enabled {
			recordSeries(host, m, s, c)
		}
	}
}

// hasEnded reports whether the container of a series was removed some scrapes ago.
func (durations) hasEnded(m *metrics.Builder, s series, c *counts) bool {
	if s.container == nil || m.Fate(c.cgroup) != metrics.Remove {
		c.gone = 0
		return false
	}
	c.gone++
	return c.gone > scrapesKept
}

func recordSeries(host *program.Host, m *metrics.Builder, s series, c *counts) {
	metric := m.For(s.container).Histogram(metadata.DNSLookupDuration)
	attributes := host.Histogram.Append(metric, c.slots[:], c.sum, m.Start, m.Now)
	if s.overflow {
		attributes.PutBool("otel.metric.overflow", true)
		return
	}
	if s.name != "" {
		attributes.PutStr(string(conventions.DNSQuestionNameKey), s.name)
	}
	attributes.PutStr("ebpf.dns.question.type", s.kind)
	attributes.PutStr(string(conventions.NetworkTransportKey), inet.ProtocolName(s.transport))
	if s.errorType != "" {
		attributes.PutStr(string(conventions.ErrorTypeKey), s.errorType)
	}
}
