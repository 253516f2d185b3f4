// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
)

// What a program holds back is delivered in its time, although nothing else happens.
func TestHeldEventsAreDeliveredInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.start()
		begin := time.Now()
		s.source.Hold(1, 1, begin.Add(3*time.Second))
		s.source.Write(2, 2)
		deliverytest.Pass(2 * time.Second)
		assert.Equal(t, []int{2}, s.next.IDs())
		deliverytest.Pass(2 * time.Second)
		assert.Equal(t, []int{2, 1}, s.next.IDs())
		assert.InDelta(t, 3*time.Second, s.next.Called()[1].Sub(begin), float64(s.settings.FlushInterval+2*maxCoalesce))
		deliverytest.Pass(deliverytest.Rest)
		drains := s.source.Drains()
		deliverytest.Pass(time.Hour)
		assert.Equal(t, drains, s.source.Drains(), "an idle receiver reads nothing")
		require.NoError(t, s.stop())
	})
}

// A stop delivers what is held back, in full batches.
func TestHeldEventsAreDeliveredAtTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.start()
		count := 2*s.settings.Batch.Size + 1
		for id := range uint64(count) {
			s.source.Hold(id+1, id+1, time.Now().Add(time.Hour))
		}
		deliverytest.Pass(deliverytest.AWhile)
		assert.Empty(t, s.next.IDs())
		require.NoError(t, s.stop())
		assert.Equal(t, deliverytest.UpTo(count), s.next.IDs())
		assert.Len(t, s.next.Called(), 3)
		delivered, _ := s.source.Counted()
		assert.Equal(t, count, delivered)
	})
}
