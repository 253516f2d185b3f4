// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
)

// stateQueue holds the states that programs have come to until the reading goroutine reports them.
type stateQueue struct {
	mu     sync.Mutex
	states []stateAt
}

type stateAt struct {
	program.State
	at time.Time
}

func (q *stateQueue) put(s program.State) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.states = append(q.states, stateAt{s, time.Now()})
}

func (q *stateQueue) take() []stateAt {
	q.mu.Lock()
	defer q.mu.Unlock()
	states := q.states
	q.states = nil
	return states
}

// addState takes an ebpf.program.state event; the reading goroutine adds it to the batch.
func (e *events) addState(s program.State) {
	if !e.out.wanted() || !e.receiver.config.Events.EbpfProgramState.Enabled {
		return
	}
	e.states.put(s)
	if !e.reading.Load() {
		return // it begins with the states
	}
	if err := e.reader.Wake(); err != nil {
		e.receiver.settings.Logger.Error("A state waits for the next event to be reported", zap.Error(err))
	}
}

// whereTo is what stands between a state and its hook in the line for people.
var whereTo = map[string]string{program.StateAttached: " to ", program.StateDetached: " from ", program.StateFailed: " at "}

func (e *events) appendStates() {
	for _, s := range e.states.take() {
		severity := plog.SeverityNumberInfo
		if s.Err != nil {
			severity = plog.SeverityNumberWarn
		}
		lr := e.batch.AppendAt(pcommon.NewTimestampFromTime(s.at), 0, "ebpf.program.state", severity)
		attributes := lr.Attributes()
		attributes.PutStr("ebpf.program.name", s.Program)
		attributes.PutStr("ebpf.program.state", s.Name)
		body := "program " + s.Program + " " + s.Name
		if s.Hook != "" {
			attributes.PutStr("ebpf.program.hook", s.Hook)
			body += whereTo[s.Name] + s.Hook
		}
		if s.Err != nil {
			attributes.PutStr("ebpf.program.error.message", s.Err.Error())
			body += ": " + s.Err.Error()
		}
		if e.batch.HasBody() {
			lr.Body().SetStr(body)
		}
	}
}

// appendLost adds an ebpf.event.lost event for a gap in the sequence of the records.
func (e *events) appendLost(gap ring.Gap) {
	if gap.Count == 0 || !e.out.wanted() || !e.receiver.config.Events.EbpfEventLost.Enabled {
		return
	}
	end := pcommon.NewTimestampFromTime(time.Now())
	if gap.End != 0 {
		end = e.receiver.host.Clock.Wall(gap.End)
	}
	lr := e.batch.AppendAt(end, 0, "ebpf.event.lost", plog.SeverityNumberWarn)
	attributes := lr.Attributes()
	// The kernel half leaves a record out only when the ring has no room for it.
	attributes.PutStr("ebpf.loss.cause", "ring_full")
	attributes.PutInt("ebpf.loss.count", int64(gap.Count))
	if gap.Start != 0 {
		attributes.PutInt("ebpf.loss.start", int64(e.receiver.host.Clock.Wall(gap.Start)))
	}
	attributes.PutInt("ebpf.loss.end", int64(end))
	if e.batch.HasBody() {
		lr.Body().SetStr(strconv.FormatUint(gap.Count, 10) + " events lost: the ring buffer was full")
	}
}
