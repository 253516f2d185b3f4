// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
)

// counted returns the losses that were reported from counters, as "cause count".
func (s *scene) counted() (reported []string) {
	s.t.Helper()
	for _, lr := range s.next.Named(lostEvent) {
		attributes := lr.Attributes().AsRaw()
		if attributes["ebpf.loss.cause"] == "ring_full" {
			continue
		}
		assert.Equal(s.t, deliverytest.Program, attributes["ebpf.program.name"])
		assert.Equal(s.t, plog.SeverityNumberWarn, lr.SeverityNumber())
		assert.Equal(s.t, attributes["ebpf.loss.end"], int64(lr.Timestamp()))
		reported = append(reported, fmt.Sprintf("%v %v", attributes["ebpf.loss.cause"], attributes["ebpf.loss.count"]))
	}
	return reported
}

// Rate-limited events are reported once per second, even if no event follows. Then the loop sleeps.
func TestHeldBackEventsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.settings.Batch.Body = true
		s.start()
		s.source.HoldBack(300)
		s.source.Write(1, 1)
		deliverytest.Pass(500 * time.Millisecond)
		assert.Equal(t, []string{"rate_limit 300"}, s.counted())
		s.source.HoldBack(17)
		deliverytest.Pass(500 * time.Millisecond)
		assert.Len(t, s.counted(), 1, "once a second")
		deliverytest.Pass(time.Second)
		assert.Equal(t, []string{"rate_limit 300", "rate_limit 17"}, s.counted())
		events := s.next.Named(lostEvent)
		assert.Equal(t, "connection: 300 events were held back by event_limit", events[0].Body().Str())
		first, second := events[0].Attributes().AsRaw(), events[1].Attributes().AsRaw()
		assert.NotContains(t, first, "ebpf.loss.start", "the first loss has no start")
		assert.Equal(t, first["ebpf.loss.end"], second["ebpf.loss.start"])

		deliverytest.Pass(deliverytest.Rest)
		readings := s.source.Readings()
		deliverytest.Pass(time.Hour)
		assert.Equal(t, readings, s.source.Readings(), "an idle receiver reads no counters")
		s.source.HoldBack(5)
		require.NoError(t, s.stop())
		assert.Equal(t, "rate_limit 5", s.counted()[2], "the stop reports losses at once")
	})
}

// While events flow, the counters are read once per second, not for each batch.
func TestCountersAreReadOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.start()
		for id := range uint64(1000) {
			s.source.Write(id+1, id+1)
			deliverytest.Pass(10 * time.Millisecond)
		}
		assert.InDelta(t, 10, s.source.Readings(), 2)
		require.NoError(t, s.stop())
	})
}

// Records that cannot be decoded are counted and reported. The log has a single line, whatever their number.
func TestUndecodableRecordsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.start()
		for range 1000 {
			s.source.WriteRaw([]byte{1, 2, 3})
		}
		s.source.Write(1, 1)
		deliverytest.Pass(deliverytest.AWhile)
		assert.Equal(t, []int{1}, s.next.IDs())
		assert.Equal(t, []string{"undecodable 1000"}, s.counted())
		assert.Equal(t, 1, s.log.FilterMessageSnippet("Invalid record dropped").Len())
		require.NoError(t, s.stop())
	})
}

// Refused events are reported when the consumer accepts events again.
func TestRefusedEventsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.settings.Next.Retry.Enabled = false
		s.next.AnswerWith(deliverytest.Answers(errBusy, errForGood))
		s.start()
		s.source.WriteAll(3)
		deliverytest.Pass(deliverytest.Rest)
		s.source.WriteAll(2)
		deliverytest.Pass(deliverytest.Rest)
		s.source.WriteAll(1)
		deliverytest.Pass(deliverytest.Rest)
		require.NoError(t, s.stop())
		delivered, refused := s.source.Counted()
		assert.Equal(t, []string{fmt.Sprintf("refused %d", refused)}, s.counted())
		assert.Equal(t, 6, delivered+refused)
		assert.Equal(t, 3, refused, "the second refusal does not count the loss event")
	})
}

// A batch that is accepted within the second after a refused loss event does not hide that loss.
func TestRefusedLossesAreReportedAfterOtherEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.settings.Next.Retry.Enabled = false
		s.next.AnswerWith(deliverytest.Answers(errBusy, errForGood))
		s.start()
		s.source.WriteAll(3)
		deliverytest.Pass(1300 * time.Millisecond)
		require.Len(t, s.next.Called(), 2, "the events and the loss event were offered, and refused")
		s.source.WriteAll(2)
		deliverytest.Pass(500 * time.Millisecond)
		require.Equal(t, []int{2}, s.next.Batches(), "an accepted batch without the loss event")
		deliverytest.Pass(deliverytest.Rest)
		assert.Equal(t, []string{"refused 3"}, s.counted())
		require.NoError(t, s.stop())
		assert.Equal(t, []string{"refused 3"}, s.counted())
	})
}
