// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package delivery delivers events, from the ring buffer and from user space, to the next consumer.
package delivery

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
)

// maxCoalesce is the longest time for which the reader, once woken, lets more records arrive: a wake-up costs more than many
// records. It is woken before if the ring fills up.
const maxCoalesce = 50 * time.Millisecond

// Settings are what a Loop needs.
type Settings struct {
	Logger    *zap.Logger
	Telemetry *metadata.TelemetryBuilder
	Clock     *kernel.Clock
	Batch     batch.Settings
	// FlushInterval is how long an event waits at most for its batch to fill.
	FlushInterval time.Duration
	Next          Next
	// StateEvents and LossEvents enable ebpf.program.state and ebpf.event.lost.
	StateEvents, LossEvents bool
}

// Source decodes the records of the ring, and counts whether they were delivered.
type Source interface {
	AppendLog(b *batch.Batch, record []byte) error
	// AppendHeld appends what AppendLog has held back long enough, or everything, until the batch is full. It returns when to call it
	// next; zero if nothing is held back.
	AppendHeld(b *batch.Batch, all bool) (next time.Time)
	LastSequences() ([]uint64, error)
	CountDelivered(events [common.MaxPrograms]int)
	CountRefused(events [common.MaxPrograms]int)
	// CountUndecodable counts a record that AppendLog has refused. It reports whether it is the first of its program.
	CountUndecodable(record []byte) (first bool)
	// Losses returns the losses since the start, except for records whose sequence numbers are missing.
	Losses() (program.Losses, error)
}

// Reader reads the records of the ring: see ring.Reader.
type Reader interface {
	Wait(timeout time.Duration) error
	Wake() error
	Drain(limit int, f func(record []byte)) int
	Used() float64
	Close() error
}

// Loop delivers events to the next consumer. It is one goroutine that reads records, decodes them in place and sends them in
// batches.
type Loop struct {
	settings  Settings
	sender    *sender
	batch     *batch.Batch
	queue     queue
	source    Source
	reader    Reader
	sequences ring.Sequences
	losses    lossReport
	// held is when to append what the source holds back; zero if that is nothing.
	held time.Time

	// started is whether source and reader are set.
	started  atomic.Bool
	stopping atomic.Bool
	done     chan struct{}
}

// New returns a loop that has not started.
func New(settings Settings) *Loop {
	return &Loop{
		settings: settings,
		sender:   newSender(settings.Logger, settings.Telemetry, settings.Next),
		batch:    batch.New(settings.Batch),
		done:     make(chan struct{}),
	}
}

// Start begins to read. The reader reads what the source decodes.
func (l *Loop) Start(source Source, reader Reader) {
	l.source, l.reader = source, reader
	l.started.Store(true)
	go l.run()
}

// Stop delivers the remaining events, within the context, and ends the goroutine. After an error the goroutine still runs:
// see Done.
func (l *Loop) Stop(ctx context.Context) error {
	l.stopping.Store(true)
	if err := l.reader.Wake(); err != nil {
		return err
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		l.sender.cancel()
		select {
		case <-l.done:
		case <-time.After(time.Second):
			return errors.New("the next consumer does not return")
		}
	}
	l.sender.cancel()
	return nil
}

// Done is closed when the goroutine has ended and no longer uses source and reader.
func (l *Loop) Done() <-chan struct{} { return l.done }

func (l *Loop) run() {
	defer close(l.done)
	for {
		// Load this before draining, so that events from before Stop are still delivered.
		stopping := l.stopping.Load()
		l.batch.Observe(time.Now())
		l.appendQueued()
		// A gap seen before this pass is a loss if this pass does not fill it.
		l.sequences.Checkpoint()
		more := l.drain()
		l.appendHeld(false)
		if more {
			continue
		}
		if stopping {
			l.finish()
			return
		}
		if l.isDue() || l.batch.Len() == 0 && l.sequences.HasLoss() {
			l.flush(false)
		}
		if err := l.wait(); err != nil {
			l.settings.Logger.Error("Waiting for records failed; no more events are delivered", zap.Error(err))
			componentstatus.ReportStatus(l.settings.Next.Host, componentstatus.NewPermanentErrorEvent(err))
			l.appendHeld(true)
			l.flush(true)
			return
		}
	}
}

// wait waits for a record, and then for more of them to arrive, unless the batch is due before.
func (l *Loop) wait() error {
	if err := l.reader.Wait(l.timeout()); err != nil {
		return err
	}
	if l.stopping.Load() {
		return nil
	}
	coalesce := min(maxCoalesce, l.settings.FlushInterval/4)
	if l.batch.Len() > 0 {
		coalesce = min(coalesce, l.timeout())
	}
	return l.reader.Wait(coalesce)
}

// appendHeld appends what the source has held back long enough, or everything.
func (l *Loop) appendHeld(all bool) {
	for {
		l.held = l.source.AppendHeld(l.batch, all)
		if l.batch.Room() > 0 {
			return
		}
		l.flush(false)
	}
}

// timeout returns how long the batch may still wait for more, what is held back for its record, or the counters of losses to be
// read; it is negative if nothing waits.
func (l *Loop) timeout() time.Duration {
	timeout := l.timeoutOfBatch()
	if l.held.IsZero() {
		return timeout
	}
	held := max(0, time.Until(l.held))
	if timeout < 0 {
		return held
	}
	return min(timeout, held)
}

func (l *Loop) timeoutOfBatch() time.Duration {
	if l.batch.Len() > 0 || l.sequences.HasGap() {
		return max(0, l.settings.FlushInterval-l.batch.Age())
	}
	if due := l.losses.due; !due.IsZero() {
		return max(0, time.Until(due))
	}
	return -1
}

// isDue reports whether the batch must be delivered: it is full, its first event has waited long enough, or the loss counters must
// be read.
func (l *Loop) isDue() bool {
	if due := l.losses.due; l.batch.Len() == 0 && !due.IsZero() && !time.Now().Before(due) {
		return true
	}
	return l.batch.Room() <= 0 || l.batch.Age() >= l.settings.FlushInterval
}

// drain reads all records in the ring, and delivers the batches that are due meanwhile. It returns true after a while in
// which records have arrived faster than they were read.
func (l *Loop) drain() (more bool) {
	for begin := time.Now(); time.Since(begin) < l.settings.FlushInterval; {
		if err := l.settings.Clock.Sync(); err != nil {
			l.settings.Logger.Error("Clock synchronization failed; event times may be off", zap.Error(err))
		}
		l.batch.Observe(time.Now())
		room := l.batch.Room()
		n := l.reader.Drain(room, l.appendRecord)
		if n > 0 {
			l.settings.Telemetry.ReceiverEbpfRecords.Add(context.Background(), int64(n))
		}
		if n < room {
			return false
		}
		if l.isDue() {
			l.flush(false)
		}
	}
	return true
}

func (l *Loop) appendRecord(raw []byte) {
	if record, ok := common.View[common.Record](raw); ok {
		l.sequences.Observe(record.Cpu, record.Sequence, record.Time)
	}
	if err := l.source.AppendLog(l.batch, raw); err != nil {
		l.settings.Telemetry.ReceiverEbpfRecordsInvalid.Add(context.Background(), 1)
		if l.source.CountUndecodable(raw) {
			l.settings.Logger.Warn("Invalid record dropped; further ones of this program are only counted", zap.Error(err))
		}
	}
}

// flush delivers the batch, with events of the losses since the last one.
func (l *Loop) flush(last bool) {
	l.appendGap(l.sequences.TakeLoss())
	l.appendLosses(last)
	if l.batch.Len() == 0 {
		return
	}
	if l.sender.send(l.source, l.batch.Flush()) {
		l.losses.reported, l.losses.gap = l.losses.appended, ring.Gap{}
	} else {
		// The next batch may be accepted before the counters are read again. It does not report these losses.
		l.losses.appended = l.losses.reported
	}
}

// finish delivers the rest after the programs are detached.
func (l *Loop) finish() {
	last, err := l.source.LastSequences()
	if err != nil {
		l.settings.Logger.Error("Cannot read the final sequence numbers; losses during shutdown are not reported", zap.Error(err))
	}
	l.sequences.Finish(last)
	l.appendQueued() // what the last records have made programs emit
	l.appendHeld(true)
	l.flush(true)
}
