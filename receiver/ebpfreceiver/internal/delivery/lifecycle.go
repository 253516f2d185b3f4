// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// EmitState queues an ebpf.program.state event.
func (l *Loop) EmitState(s program.State) {
	if !l.settings.StateEvents {
		return
	}
	at := pcommon.NewTimestampFromTime(time.Now())
	if !l.Emit(func(b *batch.Batch) { appendState(b, s, at) }) {
		l.settings.Logger.Warn("Program state event dropped: too many events wait for the next consumer",
			zap.String("program", s.Program), zap.String("state", s.Name))
	}
}

// prepositions connect a state and its hook in the body.
var prepositions = map[string]string{program.StateAttached: " to ", program.StateDetached: " from ", program.StateFailed: " at "}

func appendState(b *batch.Batch, s program.State, at pcommon.Timestamp) {
	severity := plog.SeverityNumberInfo
	if s.Err != nil || s.Reason != "" && s.Name != program.StateAttached {
		severity = plog.SeverityNumberWarn
	}
	event := b.EventAt(at, 0, "ebpf.program.state", severity)
	event.PutStr("ebpf.program.name", s.Program)
	event.PutStr("ebpf.program.state", s.Name)
	event.PutStr("ebpf.program.hook", s.Hook)
	if s.Err != nil {
		event.PutStr("ebpf.program.error.message", s.Err.Error())
	}
	if s.Reason != "" {
		event.PutStr("ebpf.program.reason", s.Reason)
	}
	event.End(func(text []byte) []byte {
		text = append(append(append(append(text, "program "...), s.Program...), ' '), nameInBody(s)...)
		if s.Hook != "" {
			text = append(append(text, prepositions[s.Name]...), s.Hook...)
		}
		if s.Reason != "" {
			text = append(append(text, ": "...), s.Reason...)
		}
		if s.Err != nil {
			text = append(append(text, ": "...), s.Err.Error()...)
		}
		return text
	})
}

// nameInBody returns the state in words.
func nameInBody(s program.State) string {
	switch {
	case s.Name == program.StateEventsOff:
		return "emits no events"
	case s.Name == program.StateSampled:
		return "is attached for a tenth of the time"
	case s.Name == program.StateAttached && s.Hook == "":
		return "does everything again"
	}
	return s.Name
}
