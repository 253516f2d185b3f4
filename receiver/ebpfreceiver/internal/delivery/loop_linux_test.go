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

// An event waits no longer than the flush interval, even if the ring is never empty.
func TestFlushInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.start()
		s.source.Write(1, 1)
		begin := time.Now()
		for id := uint64(2); len(s.next.Called()) == 0; id++ {
			s.source.Write(id, id)
			deliverytest.Pass(time.Millisecond)
			require.Less(t, time.Since(begin), time.Minute)
		}
		assert.InDelta(t, s.settings.FlushInterval, s.next.Called()[0].Sub(begin), float64(2*maxCoalesce))
		require.NoError(t, s.stop())
	})
}

// The reader does not wake up for each record, but lets some gather. While nothing happens, it does not run.
func TestRecordsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.start()
		const count = 1000
		for id := range uint64(count) {
			s.source.Write(id+1, id+1)
			deliverytest.Pass(time.Millisecond)
		}
		deliverytest.Pass(deliverytest.AWhile)
		assert.Equal(t, deliverytest.UpTo(count), s.next.IDs())
		drains, most := s.source.Drains(), int(2*deliverytest.AWhile/maxCoalesce)
		assert.Less(t, drains, most)
		assert.Greater(t, drains, most/10)
		deliverytest.Pass(deliverytest.Rest)
		drains = s.source.Drains()
		deliverytest.Pass(time.Hour)
		assert.Equal(t, drains, s.source.Drains(), "an idle receiver reads nothing")
		require.NoError(t, s.stop())
	})
}
