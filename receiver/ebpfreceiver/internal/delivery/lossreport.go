// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
)

// lossInterval is the interval of reporting losses from counters in the event stream.
const lossInterval = time.Second

// lossReport compares the loss counters with the losses that the event stream has reported.
type lossReport struct {
	// reported are the losses in accepted batches, appended those in the current batch.
	reported, appended program.Losses
	// gap are missing sequence numbers that were not reported yet.
	gap ring.Gap
	// checked is when the counters were last read. due is when they must be read again; zero if nothing has happened since.
	checked, due time.Time
}

// lossTexts are the texts in the body after the number of events.
var lossTexts = map[string]string{
	"rate_limit":     " events were held back by event_limit",
	"refused":        " events were refused by the next consumer",
	"undecodable":    " records could not be decoded",
	"map_full":       " counts or events were lost: a map was full",
	"overhead_limit": " events were held back to keep overhead_limit",
	"recursion":      " runs were skipped by the kernel",
	"ring_full":      " events were lost: the queue of this program was full",
}

// appendLosses appends an ebpf.event.lost event for each program and cause whose counter has risen. It reads the counters at most
// once a second, except at the end.
func (l *Loop) appendLosses(last bool) {
	r := &l.losses
	now := time.Now()
	if !l.reportsLosses() {
		return
	}
	if since := now.Sub(r.checked); since < lossInterval && !last {
		r.due = r.checked.Add(lossInterval)
		return
	}
	counted, err := l.source.Losses()
	if err != nil {
		l.settings.Logger.Warn("Cannot read the loss counters; these losses are not reported in the event stream", zap.Error(err))
		r.checked, r.due = now, time.Time{}
		return
	}
	rises := false
	for _, loss := range counted.Since(r.reported) {
		l.appendCounted(loss, r.checked, now)
		rises = true
	}
	r.appended = counted
	r.checked, r.due = now, time.Time{}
	// Events that are rate-limited after this reading are reported a second later, even if no other event follows.
	if rises || l.batch.Len() > 0 {
		r.due = now.Add(lossInterval)
	}
}

// reportsLosses reports whether loss events have a consumer.
func (l *Loop) reportsLosses() bool { return l.settings.LossEvents && l.settings.Next.Consumer != nil }

// appendCounted appends the event of a loss that happened between two readings of the counters.
func (l *Loop) appendCounted(loss program.Loss, start, end time.Time) {
	at := pcommon.NewTimestampFromTime(end)
	event := l.batch.EventAt(at, 0, "ebpf.event.lost", plog.SeverityNumberWarn)
	event.PutStr("ebpf.program.name", loss.Program)
	event.PutStr("ebpf.loss.cause", loss.Cause)
	event.PutInt("ebpf.loss.count", int64(loss.Count))
	if !start.IsZero() {
		event.PutInt("ebpf.loss.start", start.UnixNano())
	}
	event.PutInt("ebpf.loss.end", end.UnixNano())
	event.End(func(text []byte) []byte {
		text = append(append(text, loss.Program...), ": "...)
		return append(strconv.AppendUint(text, loss.Count, 10), lossTexts[loss.Cause]...)
	})
}

// appendGap appends an ebpf.event.lost event for gaps in the sequence numbers, including those that were reported in a
// refused batch.
func (l *Loop) appendGap(latest ring.Gap) {
	gap := l.losses.gap.Join(latest)
	if gap.Count == 0 || !l.reportsLosses() {
		return
	}
	l.losses.gap = gap
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
