// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatautil"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Lifetimes remembers the series of the previous scrape, so that each series has the right start and gets an end. Without an
// end, backends assume for minutes that a missing series still has its last value.
type Lifetimes struct {
	series map[seriesID]*lifetime
	// scrape is the number of the scrape, from 1. before is the time of the previous one.
	scrape uint64
	before pcommon.Timestamp
}

// seriesID is a hash of the identity of a series.
type seriesID struct {
	resource, attributes [16]byte
	metric               string
}

// lifetime is the state of a series.
type lifetime struct {
	// scrape is the last scrape with the series.
	scrape uint64
	// start is the last time when it was zero; 0 is the start of the receiver.
	start pcommon.Timestamp
	// end is the series with the data point that ends it. last is that data point if it is a number. It has the last value:
	// consumers that do not know the flag see a series that stays constant, not one that falls to zero.
	end  pmetric.ResourceMetrics
	last pmetric.NumberDataPoint
}

// NewLifetimes returns lifetimes without any series.
func NewLifetimes() *Lifetimes { return &Lifetimes{series: map[seriesID]*lifetime{}} }

// Apply changes the metrics of a scrape. Cumulative series that are new since the previous scrape start at the time of that scrape:
// they were zero then. Series that are gone get a data point without a recorded value.
func (l *Lifetimes) Apply(all pmetric.Metrics, now pcommon.Timestamp) {
	l.scrape++
	for _, rm := range all.ResourceMetrics().All() {
		id := seriesID{resource: pdatautil.MapHash(rm.Resource().Attributes())}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				id.metric = metric.Name()
				l.applyMetric(id, rm, sm, metric)
			}
		}
	}
	for id, life := range l.series {
		if life.scrape != l.scrape {
			delete(l.series, id)
			life.appendEnd(all, now)
		}
	}
	l.before = now
}

// point is a data point of any kind.
type point interface {
	Attributes() pcommon.Map
	SetStartTimestamp(start pcommon.Timestamp)
	SetTimestamp(at pcommon.Timestamp)
	SetFlags(flags pmetric.DataPointFlags)
}

// points calls f for each data point of a metric.
func points(metric pmetric.Metric, f func(point)) {
	switch metric.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range metric.Sum().DataPoints().All() {
			f(p)
		}
	case pmetric.MetricTypeGauge:
		for _, p := range metric.Gauge().DataPoints().All() {
			f(p)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range metric.Histogram().DataPoints().All() {
			f(p)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range metric.ExponentialHistogram().DataPoints().All() {
			f(p)
		}
	default: // the receiver makes no others
	}
}

// appendPoint appends an empty data point to a metric.
func appendPoint(metric pmetric.Metric) point {
	switch metric.Type() {
	case pmetric.MetricTypeSum:
		return metric.Sum().DataPoints().AppendEmpty()
	case pmetric.MetricTypeHistogram:
		return metric.Histogram().DataPoints().AppendEmpty()
	case pmetric.MetricTypeExponentialHistogram:
		return metric.ExponentialHistogram().DataPoints().AppendEmpty()
	default:
		return metric.Gauge().DataPoints().AppendEmpty()
	}
}

func (l *Lifetimes) applyMetric(id seriesID, rm pmetric.ResourceMetrics, sm pmetric.ScopeMetrics, metric pmetric.Metric) {
	cumulative := metric.Type() != pmetric.MetricTypeGauge
	points(metric, func(p point) {
		id.attributes = pdatautil.MapHash(p.Attributes())
		life := l.series[id]
		if life == nil {
			life = &lifetime{start: l.before}
			life.end = life.endOf(rm, sm, metric, p)
			l.series[id] = life
		}
		life.scrape = l.scrape
		if number, ok := p.(pmetric.NumberDataPoint); ok {
			copyValue(life.last, number)
		}
		if cumulative && life.start != 0 {
			p.SetStartTimestamp(life.start)
		}
	})
}

func copyValue(to, from pmetric.NumberDataPoint) {
	if from.ValueType() == pmetric.NumberDataPointValueTypeDouble {
		to.SetDoubleValue(from.DoubleValue())
	} else {
		to.SetIntValue(from.IntValue())
	}
}

// endOf returns the series of a data point with one that ends it.
func (l *lifetime) endOf(rm pmetric.ResourceMetrics, sm pmetric.ScopeMetrics, metric pmetric.Metric, p point) pmetric.ResourceMetrics {
	end := pmetric.NewResourceMetrics()
	rm.Resource().CopyTo(end.Resource())
	scope := end.ScopeMetrics().AppendEmpty()
	sm.Scope().CopyTo(scope.Scope())
	described := scope.Metrics().AppendEmpty()
	describe(described, metric)
	last := appendPoint(described)
	p.Attributes().CopyTo(last.Attributes())
	l.last, _ = last.(pmetric.NumberDataPoint)
	last.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	return end
}

// describe makes a metric without data points like another one.
func describe(to, from pmetric.Metric) {
	to.SetName(from.Name())
	to.SetDescription(from.Description())
	to.SetUnit(from.Unit())
	switch from.Type() {
	case pmetric.MetricTypeSum:
		to.SetEmptySum().SetIsMonotonic(from.Sum().IsMonotonic())
		to.Sum().SetAggregationTemporality(from.Sum().AggregationTemporality())
	case pmetric.MetricTypeHistogram:
		to.SetEmptyHistogram().SetAggregationTemporality(from.Histogram().AggregationTemporality())
	case pmetric.MetricTypeExponentialHistogram:
		to.SetEmptyExponentialHistogram().SetAggregationTemporality(from.ExponentialHistogram().AggregationTemporality())
	default:
		to.SetEmptyGauge()
	}
}

// appendEnd appends the data point that ends the series. It is in a metric of its own, because some exporters stop reading
// there: the Prometheus exporter skips the rest of a metric after a data point without a value.
func (l *lifetime) appendEnd(all pmetric.Metrics, now pcommon.Timestamp) {
	metric := l.end.ScopeMetrics().At(0).Metrics().At(0)
	points(metric, func(p point) {
		p.SetTimestamp(now)
		if metric.Type() != pmetric.MetricTypeGauge {
			p.SetStartTimestamp(l.start)
		}
	})
	l.end.MoveTo(all.ResourceMetrics().AppendEmpty())
}
