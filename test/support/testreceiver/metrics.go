// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testreceiver

import (
	"context"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// metricsSink is the last consumer of a metrics pipeline. It keeps the last scrape.
type metricsSink struct {
	mu      sync.Mutex
	scrapes int
	last    pmetric.Metrics
}

var _ consumer.Metrics = (*metricsSink)(nil)

func (*metricsSink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *metricsSink) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	copied := pmetric.NewMetrics()
	md.CopyTo(copied)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scrapes++
	s.last = copied
	return nil
}

func (s *metricsSink) latest() (pmetric.Metrics, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.scrapes
}

// Scrape has the metrics of one collection.
type Scrape struct {
	md pmetric.Metrics
	// key and value limit the view to resources with this attribute; a key "" means everything.
	key, value string
}

// Attributes are the attributes of a data point. All of the receiver's values are strings.
type Attributes map[string]string

// In returns the part of the scrape that belongs to the container or unit.
func (s Scrape) In(cgroup *testhost.Cgroup) Scrape {
	s.key, s.value = "container.id", cgroup.ContainerID
	if s.value == "" {
		s.key, s.value = "process.linux.cgroup", "0::"+cgroup.Path
	}
	return s
}

// metrics calls f for each metric of that name, or for all metrics if it is empty.
func (s Scrape) metrics(name string, f func(pcommon.Resource, pmetric.Metric)) {
	for _, rm := range s.md.ResourceMetrics().All() {
		if s.key != "" {
			if value, ok := rm.Resource().Attributes().Get(s.key); !ok || value.Str() != s.value {
				continue
			}
		}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if name == "" || m.Name() == name {
					f(rm.Resource(), m)
				}
			}
		}
	}
}

// Find returns the metrics of that name, one per resource.
func (s Scrape) Find(name string) []pmetric.Metric {
	var found []pmetric.Metric
	s.metrics(name, func(_ pcommon.Resource, m pmetric.Metric) { found = append(found, m) })
	return found
}

// Names returns the names of all metrics.
func (s Scrape) Names() []string {
	names := map[string]bool{}
	s.metrics("", func(_ pcommon.Resource, m pmetric.Metric) { names[m.Name()] = true })
	return slices.Sorted(maps.Keys(names))
}

// Resources returns the attributes of the resources that have the metric.
func (s Scrape) Resources(name string) []map[string]any {
	var found []map[string]any
	s.metrics(name, func(r pcommon.Resource, _ pmetric.Metric) { found = append(found, r.Attributes().AsRaw()) })
	return found
}

// points calls f for each data point of a sum whose attributes include these, except for those that only end a series.
func (s Scrape) points(name string, attributes Attributes, f func(pmetric.NumberDataPoint)) {
	for _, m := range s.Find(name) {
		if m.Type() != pmetric.MetricTypeSum {
			continue
		}
		for _, p := range m.Sum().DataPoints().All() {
			if !p.Flags().NoRecordedValue() && includes(p.Attributes(), attributes) {
				f(p)
			}
		}
	}
}

// Int adds up the data points of an integer metric whose attributes include these. It is 0 if there are none.
func (s Scrape) Int(name string, attributes Attributes) int {
	total := 0
	s.points(name, attributes, func(p pmetric.NumberDataPoint) { total += int(p.IntValue()) })
	return total
}

// Float adds up the data points of a floating-point metric whose attributes include these.
func (s Scrape) Float(name string, attributes Attributes) float64 {
	total := 0.0
	s.points(name, attributes, func(p pmetric.NumberDataPoint) { total += p.DoubleValue() })
	return total
}

// Series returns the attribute sets of the metric's data points, with their integer values.
func (s Scrape) Series(name string) []Series {
	var found []Series
	s.points(name, nil, func(p pmetric.NumberDataPoint) {
		attributes := Attributes{}
		for key, value := range p.Attributes().All() {
			attributes[key] = value.AsString()
		}
		found = append(found, Series{Attributes: attributes, Value: int(p.IntValue())})
	})
	return found
}

// Series is one data point of an integer metric.
type Series struct {
	Attributes Attributes
	Value      int
}

// Histogram returns the only explicit histogram point with exactly these attributes.
func (s Scrape) Histogram(name string, attributes Attributes) (found pmetric.HistogramDataPoint, ok bool) {
	for _, m := range s.Find(name) {
		if m.Type() != pmetric.MetricTypeHistogram {
			continue
		}
		for _, p := range m.Histogram().DataPoints().All() {
			if !p.Flags().NoRecordedValue() && p.Attributes().Len() == len(attributes) && includes(p.Attributes(), attributes) {
				return p, true
			}
		}
	}
	return found, false
}

// Exponential returns the only exponential histogram point with exactly these attributes.
func (s Scrape) Exponential(name string, attributes Attributes) (found pmetric.ExponentialHistogramDataPoint, ok bool) {
	for _, m := range s.Find(name) {
		if m.Type() != pmetric.MetricTypeExponentialHistogram {
			continue
		}
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			if !p.Flags().NoRecordedValue() && p.Attributes().Len() == len(attributes) && includes(p.Attributes(), attributes) {
				return p, true
			}
		}
	}
	return found, false
}

func includes(have pcommon.Map, want Attributes) bool {
	for key, value := range want {
		if v, ok := have.Get(key); !ok || v.AsString() != value {
			return false
		}
	}
	return true
}

// With returns the attributes with an additional one.
func (a Attributes) With(key, value string) Attributes {
	more := maps.Clone(a)
	if more == nil {
		more = Attributes{}
	}
	more[key] = value
	return more
}
