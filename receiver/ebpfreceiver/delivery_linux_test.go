// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadatatest"
)

var (
	errBusy    = errors.New("no room at the moment")
	errForGood = consumererror.NewPermanent(errors.New("not my kind of events"))
)

// answers returns an answer for a consumer that gives errors one after another, and then takes everything.
func answers(errs ...error) func(context.Context) error {
	return func(context.Context) (err error) {
		if len(errs) > 0 {
			err, errs = errs[0], errs[1:]
		}
		return err
	}
}

// collectorCounts returns how many log records the collector says the receiver has had accepted and refused.
func (s *scene) collectorCounts() (accepted, refused int) {
	sum := func(name string) (n int) {
		metric, err := s.telemetry.GetMetric(name)
		if err != nil {
			return 0
		}
		for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
			n += int(point.Value)
		}
		return n
	}
	return sum("otelcol_receiver_accepted_log_records"), sum("otelcol_receiver_refused_log_records")
}

func (s *scene) assertRetries(n int64) {
	s.t.Helper()
	metadatatest.AssertEqualReceiverEbpfBatchRetries(s.t, s.telemetry, []metricdata.DataPoint[int64]{{Value: n}},
		ignoreTimes...)
}

func (s *scene) assertRefusedBatches(n int64) {
	s.t.Helper()
	metadatatest.AssertEqualReceiverEbpfBatchesRefused(s.t, s.telemetry, []metricdata.DataPoint[int64]{{Value: n}},
		ignoreTimes...)
}

func TestRefusedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.next.answerWith(answers(errBusy, errBusy, errBusy, errBusy, errBusy, errBusy, errBusy, errBusy, errBusy))
		s.start()
		s.source.writeAll(3)
		pass(aWhile)
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, s.host.statuses(), "once")
		require.ErrorIs(t, s.host.events[0].Err(), errBusy)
		assert.Empty(t, s.next.ids())
		s.source.write(4, 4) // waits in the ring

		pass(time.Minute)
		assert.Equal(t, upTo(4), s.next.ids())
		assert.Equal(t, []int{3, 1}, s.next.batches)
		assert.Equal(t, []componentstatus.Status{
			componentstatus.StatusRecoverableError, componentstatus.StatusOK,
		}, s.host.statuses())

		calls := s.next.called()
		require.Len(t, calls, 9+1+1)
		for i, want := range []int64{50, 100, 200, 400, 800, 1600, 3200, 5000, 5000} {
			assert.Equal(t, want, calls[i+1].Sub(calls[i]).Milliseconds(), "pause %d", i)
		}
		delivered, refused := s.source.counted()
		assert.Equal(t, 4, delivered)
		assert.Zero(t, refused)
		accepted, refused := s.collectorCounts()
		assert.Equal(t, 4, accepted)
		assert.Zero(t, refused, "what is taken in the end was not refused")
		s.assertRetries(9)
		require.NoError(t, s.shutdown(time.Second))
	})
}

// The pauses begin anew with each batch, and so does the status.
func TestRefusedForAWhileAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.start()
		for range 2 {
			s.next.answerWith(answers(errBusy, errBusy))
			s.source.write(1, 1)
			pass(aWhile)
		}
		calls := s.next.called()
		require.Len(t, calls, 6)
		assert.Equal(t, usualBackOff.first, calls[1].Sub(calls[0]))
		assert.Equal(t, usualBackOff.first, calls[4].Sub(calls[3]))
		assert.Equal(t, []componentstatus.Status{
			componentstatus.StatusRecoverableError, componentstatus.StatusOK,
			componentstatus.StatusRecoverableError, componentstatus.StatusOK,
		}, s.host.statuses())
		require.NoError(t, s.shutdown(time.Second))
	})
}

// One that changes what it is given gets it as it was each time.
func TestRefusedByConsumerThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.next.change = func(logs plog.Logs) {
			first := true
			logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().RemoveIf(func(plog.LogRecord) bool {
				defer func() { first = false }()
				return first
			})
		}
		s.next.answerWith(answers(errBusy))
		s.start()
		s.source.writeAll(3)
		pass(aWhile)
		assert.Len(t, s.next.called(), 2)
		assert.Equal(t, []int{2}, s.next.batches, "it takes away one of three, not of what its first attempt has left")
		require.NoError(t, s.shutdown(time.Second))
	})
}

// What is taken in part is offered again without that part.
func TestRefusedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		rest := plog.NewLogs()
		rest.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		s.next.answerWith(answers(consumererror.NewLogs(errBusy, rest)))
		s.start()
		s.source.writeAll(3)
		pass(aWhile)
		assert.Len(t, s.next.called(), 2)
		assert.Equal(t, []int{1}, s.next.batches)
		delivered, refused := s.source.counted()
		assert.Equal(t, 3, delivered)
		assert.Zero(t, refused)
		require.NoError(t, s.shutdown(time.Second))
	})
}

func TestRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.BatchSize = 2
		s := newScene(t, config)
		s.next.answerWith(answers(nil, errForGood, errBusy, errForGood))
		s.start()
		s.source.writeAll(7)
		pass(aWhile)
		assert.Equal(t, []int{1, 2, 7}, s.next.ids(), "the second and the third batch are dropped, and not offered again")
		delivered, refused := s.source.counted()
		assert.Equal(t, 3, delivered)
		assert.Equal(t, 4, refused)
		accepted, refused := s.collectorCounts()
		assert.Equal(t, 3, accepted)
		assert.Equal(t, 4, refused)
		s.assertRefusedBatches(2)
		s.assertRetries(1)
		lost := s.log.FilterMessageSnippet("lost and counted").All()
		require.Len(t, lost, 2)
		assert.Equal(t, int64(2), lost[0].ContextMap()["events"])
		assert.Contains(t, lost[0].ContextMap()["error"], "not my kind of events")
		require.NoError(t, s.shutdown(time.Second))
	})
}

// Shutdown tries as long as its context allows, and counts what is left.
func TestRefusedWhileShutDown(t *testing.T) {
	for name, tt := range map[string]struct {
		context  func(context.Context) (context.Context, context.CancelFunc)
		patience time.Duration
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 3*time.Second)
		}, 3 * time.Second},
		"no deadline": {context.WithCancel, lastWords},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := fakeConfig(t)
				config.Events.BatchSize = 10
				s := newScene(t, config)
				s.next.answerWith(func(context.Context) error { return errBusy })
				s.start()
				s.source.writeAll(25)
				pass(aWhile)
				before := len(s.next.called())
				require.NotZero(t, before)

				ctx, cancel := tt.context(t.Context())
				defer cancel()
				begin := time.Now()
				require.NoError(t, s.logs.Shutdown(ctx))
				assert.Equal(t, tt.patience, time.Since(begin))
				assert.Greater(t, len(s.next.called()), before, "it is tried till the end")
				_, refused := s.source.counted()
				assert.Equal(t, 25, refused)
				assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.history())
				s.assertRefusedBatches(3)

				calls := len(s.next.called())
				pass(time.Hour)
				assert.Len(t, s.next.called(), calls, "and no longer")
			})
		})
	}
}

// A consumer that heeds its context ends with the context of Shutdown.
func TestConsumerThatWaitsForItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.BatchSize = 2
		s := newScene(t, config)
		s.next.answerWith(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		s.start()
		s.source.writeAll(5)
		pass(time.Hour)
		assert.Len(t, s.next.called(), 1)

		begin := time.Now()
		require.NoError(t, s.shutdown(2*time.Second))
		assert.Equal(t, 2*time.Second, time.Since(begin))
		_, refused := s.source.counted()
		assert.Equal(t, 5, refused)
		assert.Len(t, s.next.called(), 1, "nothing is offered that could not be delivered in time")
		assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.history())
	})
}

// A consumer that heeds nothing does not keep Shutdown; what the goroutine still uses is given back when it can be.
func TestConsumerThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.BatchSize = 2
		s := newScene(t, config)
		release := make(chan struct{})
		s.next.answerWith(func(context.Context) error {
			<-release
			return nil
		})
		s.start()
		s.source.writeAll(5)
		pass(time.Hour)
		require.Len(t, s.next.called(), 1)

		begin := time.Now()
		require.EqualError(t, s.shutdown(2*time.Second), "deliver the last events: the next consumer does not return")
		assert.Equal(t, 3*time.Second, time.Since(begin))
		assert.Equal(t, []string{"detach"}, s.source.history(), "the ring is still being read")
		require.Error(t, s.shutdown(time.Second), "a second time, which changes nothing")

		pass(time.Hour)
		assert.Equal(t, []string{"detach"}, s.source.history())
		close(release)
		synctest.Wait()
		assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.history())
		assert.Len(t, s.next.called(), 1, "a consumer that may be shut down gets nothing any more")
		delivered, refused := s.source.counted()
		assert.Equal(t, 2, delivered)
		assert.Equal(t, 3, refused)
	})
}

// What is in the ring and in the batch at Shutdown is delivered, however long it might still have waited.
func TestShutdownDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.FlushInterval = time.Minute
		s := newScene(t, config)
		s.start()
		s.source.writeAll(10)
		pass(aWhile)
		assert.Empty(t, s.next.called(), "the batch waits")
		// What the kernel has written before it lets go of the programs.
		s.source.onDetach = func() { s.source.write(11, 11) }

		begin := time.Now()
		require.NoError(t, s.shutdown(time.Second))
		assert.Less(t, time.Since(begin), time.Second)
		assert.Equal(t, upTo(11), s.next.ids())
		assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.history())
		delivered, _ := s.source.counted()
		assert.Equal(t, 11, delivered)
	})
}

// An event waits no longer than the flush interval, though the ring is never empty.
func TestFlushInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		s := newScene(t, config)
		s.start()
		s.source.write(1, 1)
		begin := time.Now()
		for id := uint64(2); len(s.next.called()) == 0; id++ {
			s.source.write(id, id)
			pass(time.Millisecond)
			require.Less(t, time.Since(begin), time.Minute)
		}
		assert.InDelta(t, config.Events.FlushInterval, s.next.called()[0].Sub(begin), float64(2*gathering))
		require.NoError(t, s.shutdown(time.Second))
	})
}

// The reader does not run for each record, but lets some gather; nothing runs where nothing happens.
func TestRecordsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.start()
		const count = 1000
		for id := range uint64(count) {
			s.source.write(id+1, id+1)
			pass(time.Millisecond)
		}
		pass(aWhile)
		assert.Equal(t, upTo(count), s.next.ids())
		drains, most := s.source.drains, int(2*aWhile/gathering)
		assert.Less(t, drains, most)
		assert.Greater(t, drains, most/10)
		pass(time.Hour)
		assert.Equal(t, drains, s.source.drains, "an idle receiver reads nothing")
		require.NoError(t, s.shutdown(time.Second))
	})
}
