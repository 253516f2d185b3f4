// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	stateEvent = "ebpf.program.state"
	lostEvent  = "ebpf.event.lost"
)

func text(v any) string { return fmt.Sprint(v) }

// reportStates makes the programs come to some states when they are opened, and to another when they are detached.
func (s *scene) reportStates() {
	s.open(func(settings program.Settings) error {
		settings.Report(program.State{Program: "packet_drop", Name: program.StateLoading})
		settings.Report(program.State{Program: "packet_drop", Name: program.StateAttached, Hook: "tp_btf/kfree_skb"})
		settings.Report(program.State{Program: "connection", Name: program.StateLoading})
		settings.Report(program.State{Program: "connection", Name: program.StateFailed, Err: errors.New("no tracefs")})
		s.source.onDetach = func() {
			settings.Report(program.State{Program: "packet_drop", Name: program.StateDetached})
		}
		return nil
	})
}

// What a program comes to later does not wait for a record, and is no status: that is for the start.
func TestLaterStateEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.ErrorMode = ErrorModeIgnore
		s := newScene(t, config)
		var report func(program.State)
		s.open(func(settings program.Settings) error {
			report = settings.Report
			return nil
		})
		s.start()
		pass(time.Hour)
		require.Empty(t, s.next.named(stateEvent))
		report(program.State{Program: "packet", Name: program.StateAttached, Hook: "xdp/veth1 native"})
		report(program.State{Program: "packet", Name: program.StateDetached, Hook: "xdp/veth0 generic"})
		report(program.State{Program: "packet", Name: program.StateFailed, Hook: "xdp/veth2", Err: errors.New("interface veth2: occupied")})
		pass(aWhile)
		var bodies []string
		for _, e := range s.next.named(stateEvent) {
			bodies = append(bodies, e.Body().Str())
		}
		assert.Equal(t, []string{
			"program packet attached to xdp/veth1 native",
			"program packet detached from xdp/veth0 generic",
			"program packet failed at xdp/veth2: interface veth2: occupied",
		}, bodies)
		assert.Empty(t, s.host.statuses())
		require.NoError(t, s.shutdown(time.Second))
	})
}

func TestStateEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.reportStates()
		s.start()
		started := time.Now()
		pass(aWhile)
		require.Len(t, s.next.named(stateEvent), 4, "they do not wait for a record")
		require.NoError(t, s.shutdown(time.Second))

		states := s.next.named(stateEvent)
		require.Len(t, states, 5)
		for i, want := range []struct {
			attributes map[string]any
			severity   plog.SeverityNumber
			body       string
		}{
			{
				map[string]any{"ebpf.program.name": "packet_drop", "ebpf.program.state": "loading"},
				plog.SeverityNumberInfo, "program packet_drop loading",
			},
			{
				map[string]any{"ebpf.program.name": "packet_drop", "ebpf.program.state": "attached", "ebpf.program.hook": "tp_btf/kfree_skb"},
				plog.SeverityNumberInfo, "program packet_drop attached to tp_btf/kfree_skb",
			},
			{
				map[string]any{"ebpf.program.name": "connection", "ebpf.program.state": "loading"},
				plog.SeverityNumberInfo, "program connection loading",
			},
			{
				map[string]any{"ebpf.program.name": "connection", "ebpf.program.state": "failed", "ebpf.program.error.message": "no tracefs"},
				plog.SeverityNumberWarn, "program connection failed: no tracefs",
			},
			{
				map[string]any{"ebpf.program.name": "packet_drop", "ebpf.program.state": "detached"},
				plog.SeverityNumberInfo, "program packet_drop detached",
			},
		} {
			assert.Equal(t, want.attributes, states[i].Attributes().AsRaw())
			assert.Equal(t, want.severity, states[i].SeverityNumber())
			assert.Equal(t, want.body, states[i].Body().AsString())
			assert.NotZero(t, states[i].ObservedTimestamp())
		}
		assert.Equal(t, started.UnixNano(), states[1].Timestamp().AsTime().UnixNano(), "when it happened")
		delivered, refused := s.source.counted()
		assert.Zero(t, delivered+refused, "no program's own events")
	})
}

// A batch may be smaller than the number of states.
func TestStatesInSmallBatches(t *testing.T) {
	for size := range BatchSize(6) {
		synctest.Test(t, func(t *testing.T) {
			config := fakeConfig(t)
			config.Events.BatchSize = size + 1
			s := newScene(t, config)
			s.reportStates()
			s.start()
			s.source.writeAll(7)
			pass(aWhile)
			assert.Equal(t, upTo(7), s.next.ids(), "with batches of %d", size+1)
			s.source.write(8, 8)
			require.NoError(t, s.shutdown(time.Second))
			assert.Equal(t, upTo(8), s.next.ids())
			assert.Len(t, s.next.named(stateEvent), 5)
		})
	}
}

func TestLifecycleEventsCanBeLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.EbpfProgramState.Enabled = false
		config.Events.EbpfEventLost.Enabled = false
		s := newScene(t, config)
		s.reportStates()
		s.start()
		s.source.lose(3)
		s.source.write(1, 1)
		pass(aWhile)
		s.source.lose(3)
		require.NoError(t, s.shutdown(time.Second))
		assert.Equal(t, []int{1}, s.next.ids())
		assert.Len(t, s.next.taken, 1)
	})
}

func TestLifecycleEventsWithoutBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.Body = false
		s := newScene(t, config)
		s.reportStates()
		s.start()
		s.source.write(1, 1)
		s.source.lose(3)
		require.NoError(t, s.shutdown(time.Second))
		require.Len(t, s.next.named(lostEvent), 1)
		for _, lr := range s.next.taken {
			assert.Empty(t, lr.Body().AsString())
		}
	})
}

// With a metrics pipeline alone, states and losses have nobody to go to.
func TestLifecycleEventsWithoutLogsPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.shared.component.logs = nil
		s.reportStates()
		s.start()
		s.source.write(1, 1)
		s.source.lose(3)
		s.source.write(2, 2)
		pass(aWhile)
		require.NoError(t, s.shutdown(time.Second))
		assert.Empty(t, s.next.called())
		delivered, refused := s.source.counted()
		assert.Zero(t, delivered+refused)
		assert.Empty(t, s.shared.component.events.states.take())
	})
}

// ktimes are times of the kernel with a second between them.
func ktimes(n int) []uint64 {
	times := make([]uint64, n)
	for i := range times {
		times[i] = uint64(i+1) * uint64(time.Second)
	}
	return times
}

// losses returns the counts of the events of losses, and when they began and ended by the receiver's clock; 0 is absent.
func (s *scene) losses() (counts, starts, ends []int64) {
	s.t.Helper()
	for _, lr := range s.next.named(lostEvent) {
		attributes := lr.Attributes().AsRaw()
		assert.Equal(s.t, "ring_full", attributes["ebpf.loss.cause"])
		assert.Equal(s.t, plog.SeverityNumberWarn, lr.SeverityNumber())
		count := attributes["ebpf.loss.count"].(int64)
		assert.Equal(s.t, text(count)+" events lost: the ring buffer was full", lr.Body().AsString())
		start, _ := attributes["ebpf.loss.start"].(int64)
		end := attributes["ebpf.loss.end"].(int64)
		assert.Equal(s.t, end, int64(lr.Timestamp()))
		counts, starts, ends = append(counts, count), append(starts, start), append(ends, end)
	}
	return counts, starts, ends
}

func TestLostEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.start()
		k := ktimes(6)
		wall := func(ktime uint64) int64 { return int64(s.shared.component.host.Clock.Wall(ktime)) }

		s.source.lose(2)
		s.source.write(1, k[0])
		s.source.write(2, k[1])
		pass(aWhile)
		counts, starts, ends := s.losses()
		require.Equal(t, []int64{2}, counts)
		assert.Equal(t, []int64{0}, starts, "nothing is known before")
		assert.Equal(t, []int64{wall(k[0])}, ends)

		// Several gaps in one batch are one loss.
		s.source.lose(3)
		s.source.write(3, k[2])
		s.source.write(4, k[3])
		s.source.lose(4)
		s.source.write(5, k[4])
		pass(aWhile)
		counts, starts, ends = s.losses()
		require.Equal(t, []int64{2, 7}, counts)
		assert.Equal(t, wall(k[1]), starts[1])
		assert.Equal(t, wall(k[4]), ends[1])

		// No loss, no event.
		s.source.write(6, k[5])
		pass(aWhile)
		assert.Len(t, s.next.named(lostEvent), 2)

		// What was lost last has no record behind it.
		s.source.lose(5)
		require.NoError(t, s.shutdown(time.Second))
		down := time.Now().UnixNano()
		counts, starts, ends = s.losses()
		require.Equal(t, []int64{2, 7, 5}, counts)
		assert.Equal(t, wall(k[5]), starts[2])
		assert.Equal(t, down, ends[2])
		assert.Equal(t, upTo(6), s.next.ids())
		delivered, refused := s.source.counted()
		assert.Equal(t, 6, delivered)
		assert.Zero(t, refused, "the kernel has counted what never came")
	})
}

// A number that comes late is no loss; one that does not come is told of although nothing else happens.
func TestLateRecordIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.BatchSize = 1
		s := newScene(t, config)
		s.start()
		late := recordOf(1, 1)
		late.Sequence = 1
		s.source.lose(1)
		s.source.write(2, 2)
		pass(gathering / 5) // at once, for the reader; for the programs, long
		s.source.writeRaw(late.bytes())
		pass(aWhile)
		assert.Equal(t, []int{2, 1}, s.next.ids())
		assert.Empty(t, s.next.named(lostEvent))

		s.source.lose(1)
		s.source.write(3, 3)
		pass(aWhile)
		counts, _, _ := s.losses()
		assert.Equal(t, []int64{1}, counts)
		assert.Equal(t, []int{1, 1, 1, 1}, s.next.batches, "the last has the loss alone")
		drains := s.source.drains
		pass(time.Hour)
		assert.Equal(t, drains, s.source.drains)
		require.NoError(t, s.shutdown(time.Second))
		assert.Len(t, s.next.named(lostEvent), 1)
	})
}

// Losses are told of while records come faster than they are read.
func TestLostEventsInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.BatchSize = 100
		s := newScene(t, config)
		s.start()
		s.source.lose(3)
		s.source.flood.Store(true)
		s.source.write(0, 1)
		pass(5 * time.Second)
		counts, _, _ := s.losses()
		require.Equal(t, []int64{3}, counts)
		s.source.onDetach = func() { s.source.flood.Store(false) }
		require.NoError(t, s.shutdown(time.Second))
		assert.Len(t, s.next.named(lostEvent), 1)
		delivered, refused := s.source.counted()
		assert.EqualValues(t, s.source.sequence-3, delivered)
		assert.Greater(t, delivered, 1000)
		assert.Zero(t, refused)
	})
}

// A loss that happens while the consumer stands still is told when it goes on.
func TestLostEventsBehindRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		called, answer := make(chan struct{}, 10), answers(errBusy, errBusy)
		s.next.answerWith(func(ctx context.Context) error {
			called <- struct{}{}
			return answer(ctx)
		})
		s.start()
		k := ktimes(2)
		s.source.write(1, k[0])
		<-called
		s.source.lose(100)
		s.source.write(2, k[1])
		pass(aWhile)
		counts, _, _ := s.losses()
		assert.Equal(t, []int64{100}, counts)
		assert.Equal(t, []int{1, 2}, s.next.ids())
		require.NoError(t, s.shutdown(time.Second))
		assert.Len(t, s.next.named(lostEvent), 1)
	})
}

// Losses of a batch that is refused for good are in the metrics; they are not told a second time.
func TestLostEventsRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.next.answerWith(func(context.Context) error { return errForGood })
		s.start()
		s.source.lose(9)
		s.source.write(1, 1)
		pass(aWhile)
		s.next.answerWith(nil)
		s.source.write(2, 2)
		pass(aWhile)
		require.NoError(t, s.shutdown(time.Second))
		assert.Empty(t, s.next.named(lostEvent))
		assert.Equal(t, []int{2}, s.next.ids())
		_, refused := s.source.counted()
		assert.Equal(t, 1, refused, "events of the program, not the one of the loss")
	})
}
