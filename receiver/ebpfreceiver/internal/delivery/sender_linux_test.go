// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
)

// retries are the retry settings of the tests, without randomness, so that pauses are predictable.
func retries() configretry.BackOffConfig {
	return configretry.BackOffConfig{Enabled: true, InitialInterval: 50 * time.Millisecond, Multiplier: 2, MaxInterval: 5 * time.Second}
}

func TestRefusedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.next.AnswerWith(deliverytest.Answers(errBusy, errBusy, errBusy, errBusy, errBusy, errBusy, errBusy, errBusy, errBusy))
		s.start()
		s.source.WriteAll(3)
		deliverytest.Pass(deliverytest.AWhile)
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, s.host.Statuses(), "once")
		require.ErrorIs(t, s.host.Events()[0].Err(), errBusy)
		assert.Empty(t, s.next.IDs())
		s.source.Write(4, 4) // waits in the ring

		deliverytest.Pass(time.Minute)
		assert.Equal(t, deliverytest.UpTo(4), s.next.IDs())
		assert.Equal(t, []int{3, 1}, s.next.Batches())
		assert.Equal(t, []componentstatus.Status{
			componentstatus.StatusRecoverableError, componentstatus.StatusOK,
		}, s.host.Statuses())

		calls := s.next.Called()
		require.Len(t, calls, 9+1+1)
		for i, want := range []int64{50, 100, 200, 400, 800, 1600, 3200, 5000, 5000} {
			assert.Equal(t, want, calls[i+1].Sub(calls[i]).Milliseconds(), "pause %d", i)
		}
		delivered, refused := s.source.Counted()
		assert.Equal(t, 4, delivered)
		assert.Zero(t, refused)
		accepted, refused := s.collectorCounts()
		assert.Equal(t, 4, accepted)
		assert.Zero(t, refused, "a batch that is accepted in the end does not count as refused")
		s.assertRetries(9)
		require.NoError(t, s.stop())
	})
}

// The pauses start from the shortest again for each batch, and so does the status.
func TestRefusedForAWhileAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.start()
		for range 2 {
			s.next.AnswerWith(deliverytest.Answers(errBusy, errBusy))
			s.source.Write(1, 1)
			deliverytest.Pass(deliverytest.AWhile)
		}
		calls := s.next.Called()
		require.Len(t, calls, 6)
		assert.Equal(t, retries().InitialInterval, calls[1].Sub(calls[0]))
		assert.Equal(t, retries().InitialInterval, calls[4].Sub(calls[3]))
		assert.Equal(t, []componentstatus.Status{
			componentstatus.StatusRecoverableError, componentstatus.StatusOK,
			componentstatus.StatusRecoverableError, componentstatus.StatusOK,
		}, s.host.Statuses())
		require.NoError(t, s.stop())
	})
}

// A consumer that modifies the logs gets the original ones at each attempt.
func TestRefusedByConsumerThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.next.Change = func(logs plog.Logs) {
			first := true
			logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().RemoveIf(func(plog.LogRecord) bool {
				defer func() { first = false }()
				return first
			})
		}
		s.next.AnswerWith(deliverytest.Answers(errBusy))
		s.start()
		s.source.WriteAll(3)
		deliverytest.Pass(deliverytest.AWhile)
		assert.Len(t, s.next.Called(), 2)
		assert.Equal(t, []int{2}, s.next.Batches(), "each attempt offers all three records")
		require.NoError(t, s.stop())
	})
}

// After a partial success, only the rest is offered again.
func TestRefusedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		rest := plog.NewLogs()
		rest.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		s.next.AnswerWith(deliverytest.Answers(consumererror.NewLogs(errBusy, rest)))
		s.start()
		s.source.WriteAll(3)
		deliverytest.Pass(deliverytest.AWhile)
		assert.Len(t, s.next.Called(), 2)
		assert.Equal(t, []int{1}, s.next.Batches())
		delivered, refused := s.source.Counted()
		assert.Equal(t, 3, delivered)
		assert.Zero(t, refused)
		require.NoError(t, s.stop())
	})
}

func TestRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.settings.Batch.Size = 2
		s.next.AnswerWith(deliverytest.Answers(nil, errForGood, errBusy, errForGood))
		s.start()
		s.source.WriteAll(7)
		deliverytest.Pass(deliverytest.AWhile)
		assert.Equal(t, []int{1, 2, 7}, s.next.IDs(), "the second and the third batch are dropped, and not offered again")
		delivered, refused := s.source.Counted()
		assert.Equal(t, 3, delivered)
		assert.Equal(t, 4, refused)
		accepted, refused := s.collectorCounts()
		assert.Equal(t, 3, accepted)
		assert.Equal(t, 4, refused)
		s.assertRefusedBatches(2)
		s.assertRetries(1)
		lost := s.log.FilterMessageSnippet("lost and counted").All()
		require.Len(t, lost, 1, "logged once until a batch is accepted")
		assert.Equal(t, int64(2), lost[0].ContextMap()["events"])
		assert.Contains(t, lost[0].ContextMap()["error"], "refused permanently")
		require.NoError(t, s.stop())
	})
}

// Without retries a batch is offered once: other consumers of the batch do not get it twice, and later batches do not wait.
func TestRefusedWithoutRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.settings.Next.Retry.Enabled = false
		s.settings.Batch.Size = 2
		s.next.AnswerWith(deliverytest.Answers(errBusy, errBusy))
		s.start()
		s.source.WriteAll(6)
		deliverytest.Pass(deliverytest.AWhile)
		assert.Len(t, s.next.Called(), 3)
		assert.Equal(t, []int{5, 6}, s.next.IDs())
		delivered, refused := s.source.Counted()
		assert.Equal(t, 2, delivered)
		assert.Equal(t, 4, refused)
		s.assertRefusedBatches(2)
		assert.Equal(t, []componentstatus.Status{
			componentstatus.StatusRecoverableError, componentstatus.StatusOK,
		}, s.host.Statuses())
		lost := s.log.FilterMessageSnippet("lost and counted").All()
		require.Len(t, lost, 1, "logged once, whatever the number of batches")
		assert.Equal(t, zap.WarnLevel, lost[0].Level)
		again := s.log.FilterMessageSnippet("accepts events again").All()
		require.Len(t, again, 1)
		assert.Equal(t, int64(4), again[0].ContextMap()["events_lost"])
		require.NoError(t, s.stop())
	})
}

// Retries end after their maximum time.
func TestRetriesThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.settings.Next.Retry.MaxElapsedTime = time.Second
		s.next.AnswerWith(func(context.Context) error { return errBusy })
		s.start()
		begin := time.Now()
		s.source.Write(1, 1)
		deliverytest.Pass(time.Minute)
		calls := s.next.Called()
		last := calls[len(calls)-1]
		assert.Equal(t, []int64{0, 50, 150, 350, 750}, func() (at []int64) {
			for _, call := range calls[:5] {
				at = append(at, call.Sub(calls[0]).Milliseconds())
			}
			return at
		}())
		_, refused := s.source.Counted()
		assert.Equal(t, 1, refused)
		// The loss event is refused, too. It is offered once per second with its own retries.
		assert.Less(t, last.Sub(begin), time.Minute)
		s.next.AnswerWith(nil)
		s.source.Write(2, 2)
		deliverytest.Pass(3 * time.Second)
		assert.Equal(t, []int{2}, s.next.IDs())
		require.NoError(t, s.stop())
	})
}
