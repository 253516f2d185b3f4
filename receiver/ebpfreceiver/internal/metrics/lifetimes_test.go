// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// kinds create an empty metric of each kind.
var kinds = map[string]func(pmetric.Metric){
	"sum":         func(m pmetric.Metric) { m.SetEmptySum().SetIsMonotonic(true) },
	"gauge":       func(m pmetric.Metric) { m.SetEmptyGauge() },
	"histogram":   func(m pmetric.Metric) { m.SetEmptyHistogram() },
	"exponential": func(m pmetric.Metric) { m.SetEmptyExponentialHistogram() },
}

// seriesMetrics returns the series "resource/metric/attribute", all of one kind, as in a scrape at this time.
func seriesMetrics(kind string, now pcommon.Timestamp, series ...[3]string) pmetric.Metrics {
	all := pmetric.NewMetrics()
	for _, s := range series {
		rm := all.ResourceMetrics().AppendEmpty()
		for _, there := range all.ResourceMetrics().All() {
			if id, ok := there.Resource().Attributes().Get("container.id"); ok && id.Str() == s[0] {
				rm = there
			}
		}
		rm.Resource().Attributes().PutStr("container.id", s[0])
		if rm.ScopeMetrics().Len() == 0 {
			rm.ScopeMetrics().AppendEmpty().Scope().SetName("scope")
		}
		metric := rm.ScopeMetrics().At(0).Metrics().AppendEmpty()
		metric.SetName(s[1])
		metric.SetUnit("{thing}")
		kinds[kind](metric)
		p := appendPoint(metric)
		p.Attributes().PutStr("key", s[2])
		p.SetTimestamp(now)
		if number, ok := p.(pmetric.NumberDataPoint); ok {
			number.SetIntValue(7)
		}
		if kind != "gauge" {
			p.SetStartTimestamp(1)
		}
	}
	all.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool { return rm.ScopeMetrics().Len() == 0 })
	return all
}

// listPoints returns all data points, as "resource/metric/attribute start-time", with "ended" for those without a value.
func listPoints(t *testing.T, all pmetric.Metrics) (list []string) {
	t.Helper()
	for _, rm := range all.ResourceMetrics().All() {
		container, _ := rm.Resource().Attributes().Get("container.id")
		for _, sm := range rm.ScopeMetrics().All() {
			assert.Equal(t, "scope", sm.Scope().Name())
			for _, metric := range sm.Metrics().All() {
				assert.Equal(t, "{thing}", metric.Unit())
				points(metric, func(p point) {
					key, _ := p.Attributes().Get("key")
					stamped := p.(interface {
						StartTimestamp() pcommon.Timestamp
						Timestamp() pcommon.Timestamp
						Flags() pmetric.DataPointFlags
					})
					line := fmt.Sprintf("%s/%s/%s %d-%d", container.Str(), metric.Name(), key.Str(), stamped.StartTimestamp(), stamped.Timestamp())
					if number, ok := p.(pmetric.NumberDataPoint); ok {
						assert.Equal(t, int64(7), number.IntValue())
					}
					if stamped.Flags().NoRecordedValue() {
						line += " ended"
					}
					list = append(list, line)
				})
			}
		}
	}
	return list
}

func TestLifetimes(t *testing.T) {
	a, b, c := [3]string{"a", "opened", "x"}, [3]string{"a", "opened", "y"}, [3]string{"b", "opened", "x"}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			start := func(n int) int {
				if kind == "gauge" {
					return 0
				}
				return n
			}
			l := NewLifetimes()
			scrape := func(now pcommon.Timestamp, series ...[3]string) []string {
				all := seriesMetrics(kind, now, series...)
				l.Apply(all, now)
				return listPoints(t, all)
			}
			assert.ElementsMatch(t, []string{fmt.Sprintf("a/opened/x %d-10", start(1))}, scrape(10, a),
				"series of the first scrape start with the receiver")
			assert.ElementsMatch(t, []string{
				fmt.Sprintf("a/opened/x %d-20", start(1)), fmt.Sprintf("a/opened/y %d-20", start(10)), fmt.Sprintf("b/opened/x %d-20", start(10)),
			}, scrape(20, a, b, c), "a new series starts at the previous scrape")
			assert.ElementsMatch(t, []string{
				fmt.Sprintf("a/opened/x %d-30", start(1)), fmt.Sprintf("a/opened/y %d-30 ended", start(10)), fmt.Sprintf("b/opened/x %d-30", start(10)),
			}, scrape(30, a, c))
			assert.ElementsMatch(t, []string{
				fmt.Sprintf("a/opened/x %d-40", start(1)), fmt.Sprintf("b/opened/x %d-40 ended", start(10)),
			}, scrape(40, a), "series end with their resource, and end once")
			assert.ElementsMatch(t, []string{
				fmt.Sprintf("a/opened/x %d-50", start(1)), fmt.Sprintf("a/opened/y %d-50", start(40)),
			}, scrape(50, a, b), "a series that comes back starts again")
			assert.Len(t, l.series, 2)
		})
	}
}

func BenchmarkLifetimes(b *testing.B) {
	var series [][3]string
	for i := range 100 {
		series = append(series, [3]string{"a", "opened", strconv.Itoa(i)})
	}
	all := seriesMetrics("sum", 1, series...)
	l := NewLifetimes()
	b.ReportAllocs()
	for b.Loop() {
		l.Apply(all, 2)
	}
}
