// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

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

// BackOff is how long a refused batch waits before it is offered again: First, and then twice as long each time.
type BackOff struct{ First, Max time.Duration }

// DefaultBackOff is the back-off of a receiver.
var DefaultBackOff = BackOff{First: 50 * time.Millisecond, Max: 5 * time.Second}

// Next is where batches are sent.
type Next struct {
	Consumer consumer.Logs // nil if nobody takes events
	Report   *receiverhelper.ObsReport
	// Host is told the component's status.
	Host    component.Host
	BackOff BackOff
}

// sender sends batches to the next consumer. A batch that is refused for the time being is offered again, and meanwhile new
// events wait in the ring buffer; a batch that is refused permanently is counted.
type sender struct {
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	next      Next

	ctx    context.Context // ends when Stop can wait no longer
	cancel context.CancelFunc
	failed bool // the last attempt was refused
}

func newSender(logger *zap.Logger, telemetry *metadata.TelemetryBuilder, next Next) *sender {
	s := &sender{logger: logger, telemetry: telemetry, next: next}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// send returns when the batch is taken, or refused permanently and counted.
func (s *sender) send(source Source, p batch.Payload) {
	if s.next.Consumer == nil {
		return
	}
	ctx := s.next.Report.StartLogsOp(s.ctx)
	err := s.offer(ctx, p.Logs)
	s.next.Report.EndLogsOp(ctx, metadata.Type.String(), p.Count, err)
	if err == nil {
		source.CountDelivered(p.ByProgram)
		return
	}
	s.logger.Error("Batch refused permanently; its events are lost and counted",
		zap.Int("events", p.Count), zap.Error(err))
	s.telemetry.ReceiverEbpfBatchesRefused.Add(ctx, 1)
	source.CountRefused(p.ByProgram)
}

// offer returns nil when the next consumer has taken the logs, or why it never will. Once the context has ended the consumer
// is not called: it may be shut down by then.
func (s *sender) offer(ctx context.Context, logs plog.Logs) error {
	for pause := s.next.BackOff.First; ; pause = min(2*pause, s.next.BackOff.Max) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the receiver is shut down: %w", err)
		}
		err := s.next.Consumer.ConsumeLogs(ctx, s.owned(logs))
		if err == nil {
			s.recovered()
			return nil
		}
		// What some of several consumers have taken is not offered again.
		if rest := (consumererror.Logs{}); errors.As(err, &rest) {
			logs = rest.Data()
		}
		if consumererror.IsPermanent(err) || !s.pause(pause, err) {
			return err
		}
		s.telemetry.ReceiverEbpfBatchRetries.Add(ctx, 1)
	}
}

// owned returns logs that the next consumer may keep: a copy if it mutates them, because they may be offered again.
func (s *sender) owned(logs plog.Logs) plog.Logs {
	if !s.next.Consumer.Capabilities().MutatesData {
		return logs
	}
	owned := plog.NewLogs()
	logs.CopyTo(owned)
	return owned
}

// pause waits before the next attempt. It returns false if the context ends before.
func (s *sender) pause(length time.Duration, err error) bool {
	if !s.failed {
		s.failed = true
		s.logger.Warn("Batch refused; retrying with back-off while new events wait in the ring buffer", zap.Error(err))
		componentstatus.ReportStatus(s.next.Host, componentstatus.NewRecoverableErrorEvent(err))
	}
	select {
	case <-s.ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}

func (s *sender) recovered() {
	if s.failed {
		s.failed = false
		s.logger.Info("The next consumer accepts events again")
		componentstatus.ReportStatus(s.next.Host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}
