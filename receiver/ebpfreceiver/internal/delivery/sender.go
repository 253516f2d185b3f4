// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// Next is the consumer of the batches.
type Next struct {
	Consumer consumer.Logs // nil if nobody takes events
	Report   *receiverhelper.ObsReport
	// Host receives the component's status.
	Host component.Host
	// Retry configures whether, and for how long, a refused batch is offered again. The collector joins all pipelines of a receiver
	// to one consumer: a retry repeats the batch to the pipelines that have accepted it, and new batches wait until it is accepted.
	Retry configretry.BackOffConfig
}

// sender sends batches to the next consumer. A batch that is refused is counted as lost. If retries are enabled, it is offered
// again before, and new events wait in the ring buffer meanwhile.
type sender struct {
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	next      Next

	ctx    context.Context // ends when Stop can wait no longer
	cancel context.CancelFunc
	// refused is whether the last attempt was refused; lost counts the events that were lost since the last accepted batch.
	refused bool
	lost    int
}

func newSender(logger *zap.Logger, telemetry *metadata.TelemetryBuilder, next Next) *sender {
	s := &sender{logger: logger, telemetry: telemetry, next: next}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// send reports whether the batch was accepted. Otherwise its events are counted as refused.
func (s *sender) send(source Source, p batch.Payload) (taken bool) {
	if s.next.Consumer == nil {
		return false
	}
	ctx := s.next.Report.StartLogsOp(s.ctx)
	err := s.offer(ctx, p.Logs)
	s.next.Report.EndLogsOp(ctx, metadata.Type.String(), p.Count, err)
	if err == nil {
		source.CountDelivered(p.ByProgram)
		return true
	}
	if s.lost == 0 {
		s.logger.Warn("Batch refused; its events are lost and counted", zap.Int("events", p.Count), zap.Error(err))
	}
	s.lost += p.Count
	s.telemetry.ReceiverEbpfBatchesRefused.Add(ctx, 1)
	source.CountRefused(p.ByProgram)
	return false
}

// offer returns nil when the next consumer has accepted the logs, or the error because of which they are lost. After the end of
// the context the consumer is not called: it may have been shut down.
func (s *sender) offer(ctx context.Context, logs plog.Logs) error {
	pauses := s.pauses()
	for begin := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the receiver is shut down: %w", err)
		}
		err := s.next.Consumer.ConsumeLogs(ctx, s.owned(logs))
		if err == nil {
			s.reportAccepted()
			return nil
		}
		s.reportRefusal(err)
		// What some of several consumers have accepted is not offered again.
		if rest := (consumererror.Logs{}); errors.As(err, &rest) {
			logs = rest.Data()
		}
		if consumererror.IsPermanent(err) || !s.pause(pauses, begin) {
			return err
		}
		s.telemetry.ReceiverEbpfBatchRetries.Add(ctx, 1)
	}
}

// pauses returns the pauses between the attempts for one batch.
func (s *sender) pauses() *backoff.ExponentialBackOff {
	retry := &s.next.Retry
	return &backoff.ExponentialBackOff{
		InitialInterval:     retry.InitialInterval,
		RandomizationFactor: retry.RandomizationFactor,
		Multiplier:          retry.Multiplier,
		MaxInterval:         retry.MaxInterval,
	}
}

// pause waits before the next attempt. It returns false if there is none: retries are off, their time is over, or the context
// ends first.
func (s *sender) pause(pauses *backoff.ExponentialBackOff, begin time.Time) bool {
	if !s.next.Retry.Enabled {
		return false
	}
	length := pauses.NextBackOff()
	if limit := s.next.Retry.MaxElapsedTime; limit > 0 && time.Since(begin)+length > limit {
		return false
	}
	select {
	case <-s.ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}

// owned returns logs that the next consumer may keep: a copy if it mutates them and they may be offered again.
func (s *sender) owned(logs plog.Logs) plog.Logs {
	if !s.next.Retry.Enabled || !s.next.Consumer.Capabilities().MutatesData {
		return logs
	}
	owned := plog.NewLogs()
	logs.CopyTo(owned)
	return owned
}

// reportRefusal reports the first of several refusals.
func (s *sender) reportRefusal(err error) {
	if s.refused {
		return
	}
	s.refused = true
	if s.next.Retry.Enabled && !consumererror.IsPermanent(err) {
		s.logger.Warn("Batch refused; retrying with back-off while new events wait in the ring buffer", zap.Error(err))
	}
	componentstatus.ReportStatus(s.next.Host, componentstatus.NewRecoverableErrorEvent(err))
}

// reportAccepted reports the end of refusals.
func (s *sender) reportAccepted() {
	if s.refused {
		s.logger.Info("The next consumer accepts events again", zap.Int("events_lost", s.lost))
		s.refused, s.lost = false, 0
		componentstatus.ReportStatus(s.next.Host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}
