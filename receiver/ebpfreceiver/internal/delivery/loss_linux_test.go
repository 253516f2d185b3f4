// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
)

const lostEvent = "ebpf.event.lost"

// ktimes returns kernel times at intervals of one second.
func ktimes(n int) []uint64 {
	times := make([]uint64, n)
	for i := range times {
		times[i] = uint64(i+1) * uint64(time.Second)
	}
	return times
}

// losses returns the counts of the loss events, and the start and end times by the receiver's clock; 0 means absent.
func (s *scene) losses() (counts, starts, ends []int64) {
	s.t.Helper()
	for _, lr := range s.next.Named(lostEvent) {
		attributes := lr.Attributes().AsRaw()
		if attributes["ebpf.loss.cause"] != "ring_full" {
			continue // losses from counters have their own tests
		}
		assert.Equal(s.t, plog.SeverityNumberWarn, lr.SeverityNumber())
		count := attributes["ebpf.loss.count"].(int64)
		assert.Equal(s.t, strconv.FormatInt(count, 10)+" events lost: the ring buffer was full", lr.Body().AsString())
		start, _ := attributes["ebpf.loss.start"].(int64)
		end := attributes["ebpf.loss.end"].(int64)
		assert.Equal(s.t, end, int64(lr.Timestamp()))
		counts, starts, ends = append(counts, count), append(starts, start), append(ends, end)
	}
	return counts, starts, ends
}

func TestLostEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.start()
		k := ktimes(6)
		wall := func(ktime uint64) int64 { return int64(s.settings.Clock.Wall(ktime)) }

		s.source.Lose(2)
		s.source.Write(1, k[0])
		s.source.Write(2, k[1])
		deliverytest.Pass(deliverytest.AWhile)
		counts, starts, ends := s.losses()
		require.Equal(t, []int64{2}, counts)
		assert.Equal(t, []int64{0}, starts, "the start of the first loss is unknown")
		assert.Equal(t, []int64{wall(k[0])}, ends)

		// Several gaps in one batch are reported as one loss.
		s.source.Lose(3)
		s.source.Write(3, k[2])
		s.source.Write(4, k[3])
		s.source.Lose(4)
		s.source.Write(5, k[4])
		deliverytest.Pass(deliverytest.AWhile)
		counts, starts, ends = s.losses()
		require.Equal(t, []int64{2, 7}, counts)
		assert.Equal(t, wall(k[1]), starts[1])
		assert.Equal(t, wall(k[4]), ends[1])

		// Without a loss there is no event.
		s.source.Write(6, k[5])
		deliverytest.Pass(deliverytest.AWhile)
		assert.Len(t, s.next.Named(lostEvent), 2)

		// The last losses have no record after them.
		s.source.Lose(5)
		require.NoError(t, s.stop())
		down := time.Now().UnixNano()
		counts, starts, ends = s.losses()
		require.Equal(t, []int64{2, 7, 5}, counts)
		assert.Equal(t, wall(k[5]), starts[2])
		assert.Equal(t, down, ends[2])
		assert.Equal(t, deliverytest.UpTo(6), s.next.IDs())
		delivered, refused := s.source.Counted()
		assert.Equal(t, 6, delivered)
		assert.Zero(t, refused, "the kernel counts these losses")
	})
}

// A late record is not a loss. A missing one is reported, even if no other record follows.
func TestLateRecordIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.settings.Batch.Size = 1
		s.start()
		late := deliverytest.RecordOf(1, 1)
		late.Sequence = 1
		s.source.Lose(1)
		s.source.Write(2, 2)
		deliverytest.Pass(maxCoalesce / 5) // short for the reader, long for a BPF program
		s.source.WriteRaw(late.Bytes())
		deliverytest.Pass(deliverytest.AWhile)
		assert.Equal(t, []int{2, 1}, s.next.IDs())
		assert.Empty(t, s.next.Named(lostEvent))

		s.source.Lose(1)
		s.source.Write(3, 3)
		deliverytest.Pass(deliverytest.AWhile)
		counts, _, _ := s.losses()
		assert.Equal(t, []int64{1}, counts)
		assert.Equal(t, []int{1, 1, 1, 1}, s.next.Batches(), "the last batch has only the loss")
		deliverytest.Pass(deliverytest.Rest)
		drains := s.source.Drains()
		deliverytest.Pass(time.Hour)
		assert.Equal(t, drains, s.source.Drains())
		require.NoError(t, s.stop())
		assert.Len(t, s.next.Named(lostEvent), 1)
	})
}

// Losses are reported while records arrive faster than they are read.
func TestLostEventsInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.settings.Batch.Size = 100
		s.start()
		s.source.Lose(3)
		s.source.Flood.Store(true)
		s.source.Write(0, 1)
		deliverytest.Pass(5 * time.Second)
		counts, _, _ := s.losses()
		require.Equal(t, []int64{3}, counts)
		s.source.Flood.Store(false) // as when the programs are detached
		require.NoError(t, s.stop())
		assert.Len(t, s.next.Named(lostEvent), 1)
		delivered, refused := s.source.Counted()
		assert.EqualValues(t, s.source.Sequence()-3, delivered)
		assert.Greater(t, delivered, 1000)
		assert.Zero(t, refused)
	})
}

// A loss while the consumer blocks is reported when the consumer continues.
func TestLostEventsBehindRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		called, answer := make(chan struct{}, 10), deliverytest.Answers(errBusy, errBusy)
		s.next.AnswerWith(func(ctx context.Context) error {
			called <- struct{}{}
			return answer(ctx)
		})
		s.start()
		k := ktimes(2)
		s.source.Write(1, k[0])
		<-called
		s.source.Lose(100)
		s.source.Write(2, k[1])
		deliverytest.Pass(deliverytest.AWhile)
		counts, _, _ := s.losses()
		assert.Equal(t, []int64{100}, counts)
		assert.Equal(t, []int{1, 2}, s.next.IDs())
		require.NoError(t, s.stop())
		assert.Len(t, s.next.Named(lostEvent), 1)
	})
}

// If a batch with loss events is refused, the next accepted batch reports these losses, and those of the refused batch.
func TestLostEventsRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.next.AnswerWith(func(context.Context) error { return errForGood })
		s.start()
		s.source.Lose(9)
		s.source.Write(1, 1)
		deliverytest.Pass(deliverytest.AWhile)
		s.next.AnswerWith(nil)
		s.source.Write(2, 2)
		deliverytest.Pass(deliverytest.AWhile)
		require.NoError(t, s.stop())
		counts, _, _ := s.losses()
		assert.Equal(t, []int64{9}, counts)
		assert.Equal(t, []string{"refused 1"}, s.counted())
		assert.Equal(t, []int{2}, s.next.IDs())
		_, refused := s.source.Counted()
		assert.Equal(t, 1, refused, "the loss event does not count for the program")
	})
}
