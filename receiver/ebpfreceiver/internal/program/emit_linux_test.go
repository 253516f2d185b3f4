// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// queue keeps emitted events, up to its size.
type queue struct {
	room    int
	pending []func(*batch.Batch)
}

func (q *queue) put(appendLog func(*batch.Batch)) bool {
	if len(q.pending) >= q.room {
		return false
	}
	q.pending = append(q.pending, appendLog)
	return true
}

// emitSet returns a set that is not in the kernel. Its program 5 emits into the queue.
func emitSet(q *queue, config *CommonConfig) (*Set, func()) {
	s := &Set{}
	if q != nil {
		s.options.Emit = q.put
	}
	emit := s.emitter(config, 5)
	return s, func() {
		emit(func(b *batch.Batch) { b.AppendAt(1, 0, "ebpf.test", plog.SeverityNumberInfo) })
	}
}

// An event found in user space counts for its program, like an event of the BPF side.
func TestEmitCountsForItsProgram(t *testing.T) {
	q := &queue{room: 10}
	s, emit := emitSet(q, &CommonConfig{Events: true})
	for range 3 {
		emit()
	}
	b := batch.New(batch.Settings{
		Containers: kernel.NewContainers(kernel.AllFields),
		Resources:  metadata.NewResourceBuilder(metadata.DefaultResourceAttributesConfig()),
		Include:    func(pcommon.Resource) bool { return true },
	})
	b.AppendAt(1, 0, "ebpf.program.state", plog.SeverityNumberInfo) // not an event of a program
	for _, appendLog := range q.pending {
		appendLog(b)
	}
	payload := b.Flush()
	assert.Equal(t, 4, payload.Count)
	assert.Equal(t, 3, payload.ByProgram[5])
	assert.Zero(t, s.counts.limited[5].Load()+s.counts.overrun[5].Load())
}

// The event limit is per second. An event over it is counted as lost, and so is one without room in the queue.
func TestEmitLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, limit := &queue{room: 7}, 3
		s, emit := emitSet(q, &CommonConfig{Events: true, EventLimit: &limit})
		for second := range uint64(2) {
			for range 5 {
				emit()
			}
			assert.Len(t, q.pending, int(second+1)*3)
			assert.Equal(t, (second+1)*2, s.counts.limited[5].Load())
			time.Sleep(time.Second)
		}
		assert.Zero(t, s.counts.overrun[5].Load())
		for range 3 {
			emit()
		}
		assert.EqualValues(t, 2, s.counts.overrun[5].Load())
		assert.EqualValues(t, 4, s.counts.limited[5].Load())
	})
}

// An event that nobody consumes is neither emitted nor counted as lost.
func TestEmitOfUnwantedEvents(t *testing.T) {
	q, limit := &queue{}, 1
	for _, emitted := range []struct {
		queue  *queue
		config *CommonConfig
	}{
		{q, &CommonConfig{EventLimit: &limit}},
		{nil, &CommonConfig{Events: true, EventLimit: &limit}},
	} {
		s, emit := emitSet(emitted.queue, emitted.config)
		emit()
		emit()
		assert.Empty(t, q.pending)
		assert.Zero(t, s.counts.limited[5].Load()+s.counts.overrun[5].Load())
	}
}

// Losses in user space add to those of the BPF side.
func TestScrapeCountsEmitted(t *testing.T) {
	options, _ := liveOptions(t)
	set := openTestSet(t, options, working().define("file_descriptor"))
	set.counts.limited[1].Add(4)
	set.counts.overrun[1].Add(5)
	m := newTestMetrics(options.Kernel.Containers)
	require.NoError(t, set.Scrape(m))
	lost := map[any]any{}
	for _, point := range points(t, m, "ebpf.event.lost") {
		lost[point["ebpf.loss.cause"]] = point["value"]
	}
	assert.Equal(t, int64(4), lost["rate_limit"])
	assert.Equal(t, int64(5), lost["ring_full"])
}
