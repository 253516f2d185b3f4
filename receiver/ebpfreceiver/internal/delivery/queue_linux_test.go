// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const emittedEvent = "ebpf.test.emitted"

// emit emits an event for the program of the source.
func (s *scene) emit() bool {
	return s.loop.Emit(func(b *batch.Batch) {
		b.AppendFor(deliverytest.Number, func(b *batch.Batch) {
			b.AppendAt(1, 0, emittedEvent, plog.SeverityNumberInfo)
		})
	})
}

// An event from user space is delivered without waiting for a record, and counts for its program.
func TestEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.open()
		assert.True(t, s.emit(), "before the start")
		s.start()
		deliverytest.Pass(deliverytest.AWhile)
		require.Len(t, s.next.Named(emittedEvent), 1)
		deliverytest.Pass(deliverytest.Rest)
		drains := s.source.Drains()
		deliverytest.Pass(time.Hour)
		assert.Equal(t, drains, s.source.Drains(), "an idle loop reads nothing")
		assert.True(t, s.emit())
		deliverytest.Pass(deliverytest.AWhile)
		require.Len(t, s.next.Named(emittedEvent), 2)
		assert.True(t, s.emit())
		require.NoError(t, s.stop())
		assert.Len(t, s.next.Named(emittedEvent), 3, "events from before Stop are delivered")
		delivered, refused := s.source.Counted()
		assert.Equal(t, 3, delivered)
		assert.Zero(t, refused)
	})
}

// What the last records make programs emit is delivered, too.
func TestEmitFromTheLastRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.open()
		s.source.Decoded = func() { assert.True(t, s.emit()) }
		s.source.Write(1, 1)
		s.loop.stopping.Store(true) // the first pass is the last one
		s.start()
		require.NoError(t, s.stop())
		assert.Len(t, s.next.Named(emittedEvent), 1)
	})
}

// While the consumer refuses, the queue keeps a limited number of events.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.next.AnswerWith(func(context.Context) error { return errBusy })
		s.start()
		s.source.Write(1, 1)
		deliverytest.Pass(deliverytest.AWhile)
		for range maxQueued {
			require.True(t, s.emit())
		}
		assert.False(t, s.emit())
		s.loop.EmitState(program.State{Program: "packet", Name: program.StateFailed, Err: errors.New("occupied")})
		assert.Equal(t, 1, s.log.FilterMessageSnippet("state event dropped").Len())
		s.next.AnswerWith(nil)
		deliverytest.Pass(time.Minute)
		assert.Len(t, s.next.Named(emittedEvent), maxQueued)
		assert.True(t, s.emit(), "there is room again")
		require.NoError(t, s.stop())
		assert.Len(t, s.next.Named(emittedEvent), maxQueued+1)
	})
}

// Without a consumer, no event is kept.
func TestEmitWithoutConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.settings.Next.Consumer = nil
		s.start()
		for range 2 * maxQueued {
			require.True(t, s.emit())
		}
		assert.Empty(t, s.loop.queue.take())
		require.NoError(t, s.stop())
	})
}
