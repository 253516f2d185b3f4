// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	stateEvent = "ebpf.program.state"
	lostEvent  = "ebpf.event.lost"
)

func text(v any) string { return fmt.Sprint(v) }

// reportStates makes the programs report some states when they are opened, and others when they are detached.
func (s *scene) reportStates() {
	s.open(func(options program.Options) error {
		options.Report(program.State{Program: "packet_drop", Name: program.StateLoading})
		options.Report(program.State{Program: "packet_drop", Name: program.StateAttached, Hook: "tp_btf/kfree_skb"})
		options.Report(program.State{Program: "connection", Name: program.StateLoading})
		options.Report(program.State{Program: "connection", Name: program.StateFailed, Err: errors.New("no tracefs")})
		s.source.onDetach = func() {
			options.Report(program.State{Program: "packet_drop", Name: program.StateDetached})
		}
		return nil
	})
}

// A later state is reported without waiting for a record, and does not change the component status: that is for the start.
func TestLaterStateEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.ErrorMode = ErrorModeIgnore
		s := newScene(t, config)
		var report func(program.State)
		s.open(func(options program.Options) error {
			report = options.Report
			return nil
		})
		s.start()
		deliverytest.Pass(time.Hour)
		require.Empty(t, s.next.Named(stateEvent))
		report(program.State{Program: "packet", Name: program.StateAttached, Hook: "xdp/veth1 native"})
		report(program.State{Program: "packet", Name: program.StateDetached, Hook: "xdp/veth0 generic"})
		report(program.State{Program: "packet", Name: program.StateFailed, Hook: "xdp/veth2", Err: errors.New("interface veth2: occupied")})
		deliverytest.Pass(deliverytest.AWhile)
		var bodies []string
		for _, e := range s.next.Named(stateEvent) {
			bodies = append(bodies, e.Body().Str())
		}
		assert.Equal(t, []string{
			"program packet attached to xdp/veth1 native",
			"program packet detached from xdp/veth0 generic",
			"program packet failed at xdp/veth2: interface veth2: occupied",
		}, bodies)
		assert.Empty(t, s.host.Statuses())
		require.NoError(t, s.shutdown(time.Second))
	})
}

func TestStateEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.reportStates()
		s.start()
		started := time.Now()
		deliverytest.Pass(deliverytest.AWhile)
		require.Len(t, s.next.Named(stateEvent), 4, "they do not wait for a record")
		require.NoError(t, s.shutdown(time.Second))

		states := s.next.Named(stateEvent)
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
		assert.Equal(t, started.UnixNano(), states[1].Timestamp().AsTime().UnixNano(), "the time of the state change")
		delivered, refused := s.source.Counted()
		assert.Zero(t, delivered+refused, "state events do not count for programs")
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
			s.source.WriteAll(7)
			deliverytest.Pass(deliverytest.AWhile)
			assert.Equal(t, deliverytest.UpTo(7), s.next.IDs(), "with batches of %d", size+1)
			s.source.Write(8, 8)
			require.NoError(t, s.shutdown(time.Second))
			assert.Equal(t, deliverytest.UpTo(8), s.next.IDs())
			assert.Len(t, s.next.Named(stateEvent), 5)
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
		s.source.Lose(3)
		s.source.Write(1, 1)
		deliverytest.Pass(deliverytest.AWhile)
		s.source.Lose(3)
		require.NoError(t, s.shutdown(time.Second))
		assert.Equal(t, []int{1}, s.next.IDs())
		assert.Len(t, s.next.Taken(), 1)
	})
}

func TestLifecycleEventsWithoutBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Events.Body = false
		s := newScene(t, config)
		s.reportStates()
		s.start()
		s.source.Write(1, 1)
		s.source.Lose(3)
		require.NoError(t, s.shutdown(time.Second))
		require.Len(t, s.next.Named(lostEvent), 1)
		for _, lr := range s.next.Taken() {
			assert.Empty(t, lr.Body().AsString())
		}
	})
}

// With only a metrics pipeline, states and losses have no consumer.
func TestLifecycleEventsWithoutLogsPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.shared.component.logs = nil
		s.reportStates()
		s.start()
		s.source.Write(1, 1)
		s.source.Lose(3)
		s.source.Write(2, 2)
		deliverytest.Pass(deliverytest.AWhile)
		require.NoError(t, s.shutdown(time.Second))
		assert.Empty(t, s.next.Called())
		delivered, refused := s.source.Counted()
		assert.Zero(t, delivered+refused)
	})
}
