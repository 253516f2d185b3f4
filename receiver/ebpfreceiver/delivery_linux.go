// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// backOff is how long a batch waits before it is offered again; each time twice as long as before.
type backOff struct{ first, longest time.Duration }

var usualBackOff = backOff{first: 50 * time.Millisecond, longest: 5 * time.Second}

// delivery hands batches to the next consumer. What is refused for the time being is offered again, and meanwhile the
// ring buffer holds what is new; what is refused for good is counted.
type delivery struct {
	receiver *ebpfReceiver
	next     consumer.Logs
	host     component.Host
	report   *receiverhelper.ObsReport

	ctx    context.Context // ends when Shutdown can wait no longer; not Start's, which ends with Start
	cancel context.CancelFunc
	failed bool // the last attempt was refused
}

func newDelivery(r *ebpfReceiver, host component.Host) (*delivery, error) {
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             r.settings.ID,
		ReceiverCreateSettings: r.settings,
	})
	if err != nil {
		return nil, err
	}
	d := &delivery{receiver: r, next: r.logs, host: host, report: report}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

// wanted returns whether anybody takes events.
func (d *delivery) wanted() bool { return d.next != nil }

// deliver returns when the batch is taken, or refused for good and counted.
func (d *delivery) deliver(source source, b batch.Sealed) {
	if !d.wanted() {
		return
	}
	ctx := d.report.StartLogsOp(d.ctx)
	err := d.offer(ctx, b.Logs)
	d.report.EndLogsOp(ctx, metadata.Type.String(), b.Count, err)
	if err == nil {
		source.CountDelivered(b.ByProgram)
		return
	}
	d.receiver.settings.Logger.Error("Events are refused for good; they are lost and counted",
		zap.Int("events", b.Count), zap.Error(err))
	d.receiver.telemetry.ReceiverEbpfBatchesRefused.Add(ctx, 1)
	source.CountRefused(b.ByProgram)
}

// offer returns when the next consumer has taken the logs, or why it never will. When there is no more time it is not
// even asked: it may be shut down by then.
func (d *delivery) offer(ctx context.Context, logs plog.Logs) error {
	for pause := d.receiver.backOff.first; ; pause = min(2*pause, d.receiver.backOff.longest) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the receiver is shut down: %w", err)
		}
		err := d.next.ConsumeLogs(ctx, d.ofItsOwn(logs))
		if err == nil {
			d.recovered()
			return nil
		}
		// What a part of the consumers has taken already is not offered again.
		if rest := (consumererror.Logs{}); errors.As(err, &rest) {
			logs = rest.Data()
		}
		if consumererror.IsPermanent(err) || !d.pause(pause, err) {
			return err
		}
		d.receiver.telemetry.ReceiverEbpfBatchRetries.Add(ctx, 1)
	}
}

// ofItsOwn returns the logs for the next consumer to keep: a copy if it changes them, because they may have to be offered
// again as they were.
func (d *delivery) ofItsOwn(logs plog.Logs) plog.Logs {
	if !d.next.Capabilities().MutatesData {
		return logs
	}
	its := plog.NewLogs()
	logs.CopyTo(its)
	return its
}

// pause waits before the next attempt; it returns false when there is no more time for one.
func (d *delivery) pause(length time.Duration, err error) bool {
	if !d.failed {
		d.failed = true
		d.receiver.settings.Logger.Warn("The next consumer refuses events for the time being; the ring buffer holds what is new",
			zap.Error(err))
		componentstatus.ReportStatus(d.host, componentstatus.NewRecoverableErrorEvent(err))
	}
	select {
	case <-d.ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}

func (d *delivery) recovered() {
	if d.failed {
		d.failed = false
		d.receiver.settings.Logger.Info("The next consumer takes events again")
		componentstatus.ReportStatus(d.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}
