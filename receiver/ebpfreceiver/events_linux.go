// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
)

// gathering is the longest that the reader, once woken, lets records gather: a wake-up costs more than many records. It
// ends when the ring fills up, of which the kernel half tells.
const gathering = 50 * time.Millisecond

// events is the way from the ring buffer to the next consumer: one goroutine that reads, decodes in place and delivers.
type events struct {
	receiver *ebpfReceiver
	out      *delivery
	batch    *batch.Batch
	states   stateQueue

	source    source
	reader    recordReader
	sequences ring.Sequences

	// reading is whether source and reader are there.
	reading  atomic.Bool
	stopping atomic.Bool
	done     chan struct{}
}

func newEvents(r *ebpfReceiver, host component.Host) (*events, error) {
	out, err := newDelivery(r, host)
	if err != nil {
		return nil, err
	}
	return &events{
		receiver: r,
		out:      out,
		batch: batch.New(batch.Settings{
			Clock:      r.host.Clock,
			Containers: r.host.Containers,
			Resources:  metadata.NewResourceBuilder(r.config.ResourceAttributes),
			Keeps:      newEventsFilter(&r.config.ResourceAttributes).keeps,
			ScopeName:  metadata.ScopeName,
			Version:    r.settings.BuildInfo.Version,
			Body:       r.config.Events.Body,
			Size:       int(r.config.Events.BatchSize),
		}),
		done: make(chan struct{}),
	}, nil
}

// start begins to read; the reader is of that source.
func (e *events) start(source source, reader recordReader) {
	e.source, e.reader = source, reader
	e.reading.Store(true)
	go e.run()
}

// stop delivers what there is still, within the context, and ends the goroutine.
func (e *events) stop(ctx context.Context) error {
	e.stopping.Store(true)
	if err := e.reader.Wake(); err != nil {
		return err
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		e.out.cancel()
		select {
		case <-e.done:
		case <-time.After(time.Second):
			return errors.New("the next consumer does not return")
		}
	}
	e.out.cancel()
	return nil
}

func (e *events) run() {
	defer close(e.done)
	for {
		// Read before the states and the ring are, so that what came before stop is still delivered.
		stopping := e.stopping.Load()
		e.batch.Observe(time.Now())
		e.appendStates()
		// What is missing by now is lost if it is not among what is there now.
		e.sequences.Settle()
		if more := e.drain(); more {
			continue
		}
		if stopping {
			e.finish()
			return
		}
		if e.due() || e.batch.Len() == 0 && e.sequences.Lost() {
			e.flush()
		}
		if err := e.wait(); err != nil {
			e.receiver.settings.Logger.Error("Events can't be read any more", zap.Error(err))
			componentstatus.ReportStatus(e.out.host, componentstatus.NewPermanentErrorEvent(err))
			e.flush()
			return
		}
	}
}

// wait waits for a record, and then for more of them to gather, unless the batch is due before.
func (e *events) wait() error {
	if err := e.reader.Wait(e.timeout()); err != nil {
		return err
	}
	if e.stopping.Load() {
		return nil
	}
	gather := min(gathering, e.receiver.config.Events.FlushInterval/4)
	if e.batch.Len() > 0 {
		gather = min(gather, e.timeout())
	}
	return e.reader.Wait(gather)
}

// timeout is how long the batch may still wait for more; negative if there is nothing that waits.
func (e *events) timeout() time.Duration {
	if e.batch.Len() == 0 && !e.sequences.Missing() {
		return -1
	}
	return max(0, e.receiver.config.Events.FlushInterval-e.batch.Age())
}

// due returns whether the batch is to be delivered: it is full, or its first event has waited long enough.
func (e *events) due() bool {
	return e.batch.Room() <= 0 || e.batch.Age() >= e.receiver.config.Events.FlushInterval
}

// drain reads all records that are there, and delivers the batches that are due meanwhile. It returns true after a while
// in which records have come faster than they were read.
func (e *events) drain() (more bool) {
	for begin := time.Now(); time.Since(begin) < e.receiver.config.Events.FlushInterval; {
		if err := e.receiver.host.Clock.Sync(); err != nil {
			e.receiver.settings.Logger.Error("The clock can't be read", zap.Error(err))
		}
		e.batch.Observe(time.Now())
		room := e.batch.Room()
		n := e.reader.Drain(room, e.append)
		if n > 0 {
			e.receiver.telemetry.ReceiverEbpfRecords.Add(context.Background(), int64(n))
		}
		if n < room {
			return false
		}
		if e.due() {
			e.flush()
		}
	}
	return true
}

func (e *events) append(raw []byte) {
	if record, ok := common.View[common.Record](raw); ok {
		e.sequences.See(record.Cpu, record.Sequence, record.Time)
	}
	if err := e.source.AppendLog(e.batch, raw); err != nil {
		e.receiver.telemetry.ReceiverEbpfRecordsInvalid.Add(context.Background(), 1)
		e.receiver.settings.Logger.Error("A record can't be decoded", zap.Error(err))
	}
}

// flush delivers the batch, and before it, what was lost since the last one.
func (e *events) flush() {
	e.appendLost(e.sequences.Take())
	if e.batch.Len() > 0 {
		e.out.deliver(e.source, e.batch.Seal())
	}
}

// finish delivers the rest when the programs are detached.
func (e *events) finish() {
	last, err := e.source.LastSequences()
	if err != nil {
		e.receiver.settings.Logger.Error("The last losses can't be told", zap.Error(err))
	}
	e.sequences.Finish(last)
	e.flush()
}
