// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

const (
	testStart = pcommon.Timestamp(1_700_000_000_000_000_000)
	testNow   = testStart + 10_000_000_000
)

// newTestBuilder returns a builder for a scrape of the host.
func newTestBuilder(containers *kernel.Containers) *Builder {
	return NewBuilder(testStart, testNow, containers, func() *metadata.MetricsBuilder {
		return metadata.NewMetricsBuilder(metadata.NewDefaultMetricsBuilderConfig(),
			receivertest.NewNopSettings(metadata.Type), metadata.WithStartTime(testStart))
	})
}

// If no attribute distinguishes containers, their counts are added to the host's series.
func TestMetricsOfContainersThatDoNotDiffer(t *testing.T) {
	containers := kernel.NewContainers(kernel.ContainerFields{})
	m := newTestBuilder(containers)
	for id := range uint64(3) {
		cgroup := 1<<40 + id
		containers.Add(cgroup, "/docker/"+strings.Repeat(strconv.Itoa(int(id)), 64))
		assert.Nil(t, m.Container(cgroup))
		m.For(m.Container(cgroup))
	}
	assert.Len(t, m.resources, 1)
}

func TestMetricsByContainer(t *testing.T) {
	const pod, child, service = 1 << 40, 1<<40 + 1, 1<<40 + 2
	id := strings.Repeat("a", 64)
	containers := kernel.NewContainers(kernel.AllFields)
	containers.Add(pod, "/kubepods/pod00000000-1111-2222-3333-444444444444/"+id)
	containers.Add(child, "/kubepods/pod00000000-1111-2222-3333-444444444444/"+id+"/worker")
	containers.Add(service, "/system.slice/sshd.service")
	containers.Add(OverflowCgroup, "/docker/"+strings.Repeat("b", 64)) // must not be treated as a cgroup

	m := newTestBuilder(containers)
	assert.Zero(t, m.Emit().ResourceMetrics().Len(), "nothing was recorded")
	assert.Nil(t, m.Container(0))
	assert.Nil(t, m.Container(OverflowCgroup))
	assert.Equal(t, &kernel.Container{Unit: "sshd.service", CgroupPath: "0::/system.slice/sshd.service"}, m.Container(service))
	require.NotNil(t, m.Container(pod))
	assert.Same(t, m.Container(pod), m.Container(child))

	connection := metadata.WithEbpfProgramNameMetricAttribute("connection")
	for _, cgroup := range []uint64{pod, 0, service, child, OverflowCgroup} {
		r := m.For(m.Container(cgroup))
		r.RecordEbpfEventDeliveredDataPoint(m.Now, 1, connection)
		handshake := r.Histogram(metadata.Histograms()[0])
		if handshake.Type() == 0 {
			handshake.SetEmptyHistogram()
		}
		handshake.Histogram().DataPoints().AppendEmpty().SetCount(1)
	}
	all := m.Emit().ResourceMetrics()
	require.Equal(t, 3, all.Len(), "the container, the host and the unit, in recording order")
	assert.Equal(t, map[string]any{
		"container.id":         id,
		"k8s.pod.uid":          "00000000-1111-2222-3333-444444444444",
		"process.linux.cgroup": m.Container(pod).CgroupPath,
	}, all.At(0).Resource().Attributes().AsRaw())
	assert.Empty(t, all.At(1).Resource().Attributes().AsRaw())
	assert.Equal(t, map[string]any{
		"systemd.unit.name": "sshd.service", "process.linux.cgroup": "0::/system.slice/sshd.service",
	}, all.At(2).Resource().Attributes().AsRaw())

	for i, count := range []int{2, 2, 1} {
		metrics := all.At(i).ScopeMetrics().At(0).Metrics()
		byName, histogram := map[string]int{}, metadata.Histograms()[0]
		for _, metric := range metrics.All() {
			byName[metric.Name()]++
			if metric.Name() == histogram.Name {
				assert.Equal(t, histogram.Unit, metric.Unit())
				assert.Equal(t, histogram.Description, metric.Description())
				assert.Equal(t, count, metric.Histogram().DataPoints().Len())
				continue
			}
			assert.Equal(t, testStart, metric.Sum().DataPoints().At(0).StartTimestamp())
			assert.Equal(t, testNow, metric.Sum().DataPoints().At(0).Timestamp())
		}
		assert.Equal(t, map[string]int{histogram.Name: 1, "ebpf.event.delivered": 1}, byName, "one metric with all of its points")
	}
}
