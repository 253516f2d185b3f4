// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
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
	if s.Err != nil {
		severity = plog.SeverityNumberWarn
	}
	event := b.EventAt(at, 0, "ebpf.program.state", severity)
	event.PutStr("ebpf.program.name", s.Program)
	event.PutStr("ebpf.program.state", s.Name)
	event.PutStr("ebpf.program.hook", s.Hook)
	if s.Err != nil {
		event.PutStr("ebpf.program.error.message", s.Err.Error())
	}
	event.End(func(text []byte) []byte {
		text = append(append(append(append(text, "program "...), s.Program...), ' '), s.Name...)
		if s.Hook != "" {
			text = append(append(text, prepositions[s.Name]...), s.Hook...)
		}
		if s.Err != nil {
			text = append(append(text, ": "...), s.Err.Error()...)
		}
		return text
	})
}

// appendLoss appends an ebpf.event.lost event for a gap in the sequence numbers.
func (l *Loop) appendLoss(gap ring.Gap) {
	if gap.Count == 0 || !l.settings.LossEvents || l.settings.Next.Consumer == nil {
		return
	}
	end := pcommon.NewTimestampFromTime(time.Now())
	if gap.End != 0 {
		end = l.settings.Clock.Wall(gap.End)
	}
	event := l.batch.EventAt(end, 0, "ebpf.event.lost", plog.SeverityNumberWarn)
	// A number without a record means that the ring had no room for it: the BPF side skips none for another reason.
	event.PutStr("ebpf.loss.cause", "ring_full")
	event.PutInt("ebpf.loss.count", int64(gap.Count))
	if gap.Start != 0 {
		event.PutInt("ebpf.loss.start", int64(l.settings.Clock.Wall(gap.Start)))
	}
	event.PutInt("ebpf.loss.end", int64(end))
	event.End(func(text []byte) []byte {
		return append(strconv.AppendUint(text, gap.Count, 10), " events lost: the ring buffer was full"...)
	})
}
