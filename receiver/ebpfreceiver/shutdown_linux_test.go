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
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadatatest"
)

var errBusy = errors.New("no room at the moment")

// collectorCounts returns the collector's own counts of accepted and refused log records of the receiver.
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

func (s *scene) assertRefusedBatches(n int64) {
	s.t.Helper()
	metadatatest.AssertEqualReceiverEbpfBatchesRefused(s.t, s.telemetry, []metricdata.DataPoint[int64]{{Value: n}},
		ignoreTimes...)
}

// Shutdown retries as long as its context allows, and counts the rest as lost.
func TestRefusedWhileShutDown(t *testing.T) {
	for name, tt := range map[string]struct {
		context  func(context.Context) (context.Context, context.CancelFunc)
		patience time.Duration
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 3*time.Second)
		}, 3 * time.Second},
		"no deadline": {context.WithCancel, shutdownTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := fakeConfig(t)
				config.Events.BatchSize = 10
				config.RetryOnFailure.Enabled, config.RetryOnFailure.MaxElapsedTime = true, 0
				s := newScene(t, config)
				s.next.AnswerWith(func(context.Context) error { return errBusy })
				s.start()
				s.source.WriteAll(25)
				deliverytest.Pass(deliverytest.AWhile)
				before := len(s.next.Called())
				require.NotZero(t, before)

				ctx, cancel := tt.context(t.Context())
				defer cancel()
				begin := time.Now()
				require.NoError(t, s.logs.Shutdown(ctx))
				assert.Equal(t, tt.patience, time.Since(begin))
				assert.Greater(t, len(s.next.Called()), before, "there must be retries until the deadline")
				_, refused := s.source.Counted()
				assert.Equal(t, 25, refused)
				assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.History())
				s.assertRefusedBatches(3)

				calls := len(s.next.Called())
				deliverytest.Pass(time.Hour)
				assert.Len(t, s.next.Called(), calls, "there must be no retry after the deadline")
			})
		})
	}
}

// A consumer that respects its context returns at the end of the context of Shutdown.
func TestConsumerThatWaitsForItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.BatchSize = 2
		s := newScene(t, config)
		s.next.AnswerWith(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		s.start()
		s.source.WriteAll(5)
		deliverytest.Pass(time.Hour)
		assert.Len(t, s.next.Called(), 1)

		begin := time.Now()
		require.NoError(t, s.shutdown(2*time.Second))
		assert.Equal(t, 2*time.Second, time.Since(begin))
		_, refused := s.source.Counted()
		assert.Equal(t, 5, refused)
		assert.Len(t, s.next.Called(), 1, "a batch that cannot be delivered in time must not be offered")
		assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.History())
	})
}

// A consumer that ignores its context does not block Shutdown. What its goroutine still uses is released later.
func TestConsumerThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.BatchSize = 2
		s := newScene(t, config)
		release := make(chan struct{})
		s.next.AnswerWith(func(context.Context) error {
			<-release
			return nil
		})
		s.start()
		s.source.WriteAll(5)
		deliverytest.Pass(time.Hour)
		require.Len(t, s.next.Called(), 1)

		begin := time.Now()
		require.EqualError(t, s.shutdown(2*time.Second), "deliver the last events: the next consumer does not return")
		assert.Equal(t, 3*time.Second, time.Since(begin))
		assert.Equal(t, []string{"detach"}, s.source.History(), "the ring must still be open")
		require.Error(t, s.shutdown(time.Second), "a second shutdown has no effect")

		deliverytest.Pass(time.Hour)
		assert.Equal(t, []string{"detach"}, s.source.History())
		close(release)
		synctest.Wait()
		assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.History())
		assert.Len(t, s.next.Called(), 1, "the consumer may be shut down, so it must get nothing more")
		delivered, refused := s.source.Counted()
		assert.Equal(t, 2, delivered)
		assert.Equal(t, 3, refused)
	})
}

// Events in the ring and in the batch are delivered at Shutdown, even if they would have waited longer.
func TestShutdownDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.FlushInterval = time.Minute
		s := newScene(t, config)
		s.start()
		s.source.WriteAll(10)
		deliverytest.Pass(deliverytest.AWhile)
		assert.Empty(t, s.next.Called(), "the batch must still wait")
		// A record that the kernel writes before the programs are detached.
		s.source.onDetach = func() { s.source.Write(11, 11) }

		begin := time.Now()
		require.NoError(t, s.shutdown(time.Second))
		assert.Less(t, time.Since(begin), time.Second)
		assert.Equal(t, deliverytest.UpTo(11), s.next.IDs())
		assert.Equal(t, []string{"detach", "close reader", "close"}, s.source.History())
		delivered, _ := s.source.Counted()
		assert.Equal(t, 11, delivered)
	})
}
