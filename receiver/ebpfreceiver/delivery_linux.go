// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

const (
	firstBackOff   = 50 * time.Millisecond
	longestBackOff = 5 * time.Second
)

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
	for backOff := firstBackOff; ; backOff = min(2*backOff, longestBackOff) {
		ctx := d.report.StartLogsOp(d.ctx)
		err := d.next.ConsumeLogs(ctx, b.Logs)
		d.report.EndLogsOp(ctx, metadata.Type.String(), b.Count, err)
		if err == nil {
			d.recovered()
			source.CountDelivered(b.ByProgram)
			return
		}
		if consumererror.IsPermanent(err) || !d.pause(backOff, err) {
			d.receiver.settings.Logger.Error("The next consumer refused events for good; they are lost and counted",
				zap.Int("events", b.Count), zap.Error(err))
			d.receiver.telemetry.ReceiverEbpfBatchesRefused.Add(d.ctx, 1)
			source.CountRefused(b.ByProgram)
			return
		}
		d.receiver.telemetry.ReceiverEbpfBatchRetries.Add(d.ctx, 1)
	}
}

// pause waits before the next attempt; it returns false when there is no more time for one.
func (d *delivery) pause(backOff time.Duration, err error) bool {
	if !d.failed {
		d.failed = true
		d.receiver.settings.Logger.Warn("The next consumer refuses events for the time being; the ring buffer holds what is new",
			zap.Error(err))
		componentstatus.ReportStatus(d.host, componentstatus.NewRecoverableErrorEvent(err))
	}
	select {
	case <-d.ctx.Done():
		return false
	case <-time.After(backOff):
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
