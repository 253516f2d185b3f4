// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// Series that differ only in removed attributes become one, per resource and in any order of attributes. Other metrics, and
// attributes with similar names, stay unchanged.
func TestRegroup(t *testing.T) {
	const web = 1 << 40
	containers := kernel.NewContainers(kernel.AllFields)
	containers.Add(web, "/docker/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	transport, version, role := metadata.WithNetworkTransportMetricAttribute, metadata.WithNetworkTypeMetricAttribute, metadata.WithEbpfConnectionRoleMetricAttribute
	m := newTestBuilder(containers)
	m.Kept = map[string]metadata.MetricAttributes{
		"ebpf.connection.opened": {"network.type", "ebpf.connection.role"},
		"ebpf.program.run.time":  {},
	}
	for _, cgroup := range []uint64{0, web} {
		r := m.For(m.Container(cgroup))
		r.RecordEbpfConnectionOpenedDataPoint(m.Now, 1, transport("tcp"), version("ipv4"), role("client"))
		r.RecordEbpfConnectionOpenedDataPoint(m.Now, 2, transport("udp"), role("client"), version("ipv4"))
		r.RecordEbpfConnectionOpenedDataPoint(m.Now, 4, transport("udp"), version("client"), role("ipv4"))
		r.RecordEbpfConnectionOpenedDataPoint(m.Now, 8, transport("unix"))
		r.RecordEbpfConnectionActiveDataPoint(m.Now, 1, transport("tcp"), version("ipv4"), role("client"))
		r.RecordEbpfConnectionActiveDataPoint(m.Now, 2, transport("tcp"), version("ipv6"), role("client"))
		r.RecordEbpfProgramRunTimeDataPoint(m.Now, 1.5, metadata.WithEbpfProgramNameMetricAttribute("file"))
		r.RecordEbpfProgramRunTimeDataPoint(m.Now, 2.5, metadata.WithEbpfProgramNameMetricAttribute("oom"))
	}
	resources := m.Emit().ResourceMetrics()
	require.Equal(t, 2, resources.Len())
	type series struct {
		attributes map[string]any
		value      float64
	}
	for _, rm := range resources.All() {
		got := map[string][]series{}
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			for _, point := range metric.Sum().DataPoints().All() {
				value := point.DoubleValue()
				if point.ValueType() == pmetric.NumberDataPointValueTypeInt {
					value = float64(point.IntValue())
				}
				got[metric.Name()] = append(got[metric.Name()], series{point.Attributes().AsRaw(), value})
				assert.Equal(t, testStart, point.StartTimestamp())
				assert.Equal(t, testNow, point.Timestamp())
			}
		}
		assert.Equal(t, map[string][]series{
			"ebpf.connection.opened": {
				{map[string]any{"network.type": "ipv4", "ebpf.connection.role": "client"}, 3},
				{map[string]any{"network.type": "client", "ebpf.connection.role": "ipv4"}, 4},
				{map[string]any{}, 8},
			},
			"ebpf.connection.active": {
				{map[string]any{"network.transport": "tcp", "network.type": "ipv4", "ebpf.connection.role": "client"}, 1},
				{map[string]any{"network.transport": "tcp", "network.type": "ipv6", "ebpf.connection.role": "client"}, 2},
			},
			"ebpf.program.run.time": {{map[string]any{}, 4}},
		}, got)
	}
}

// Many data points are grouped by a key, not by comparing each with all others.
func BenchmarkRegroup(b *testing.B) {
	metrics := pmetric.NewMetrics()
	metric := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName("ebpf.file_descriptor.count")
	points := metric.SetEmptySum().DataPoints()
	for pid := range int64(10_000) {
		for _, kind := range []string{"file", "socket"} {
			point := points.AppendEmpty()
			point.SetIntValue(1)
			point.Attributes().PutInt("process.pid", pid)
			point.Attributes().PutStr("ebpf.file_descriptor.kind", kind)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		again := pmetric.NewMetrics()
		metrics.CopyTo(again)
		b.StartTimer()
		Regroup(again, map[string]metadata.MetricAttributes{metric.Name(): {"process.pid"}})
	}
}
