// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// registerGauges registers the callbacks of the receiver's own gauges.
func (r *ebpfReceiver) registerGauges() error {
	return errors.Join(
		r.telemetry.RegisterReceiverEbpfRingUtilizationCallback(r.observeRing),
		r.telemetry.RegisterReceiverEbpfProgramsAttachedCallback(r.observePrograms),
		r.telemetry.RegisterReceiverEbpfCacheEntriesCallback(r.observeCaches),
	)
}

func (r *ebpfReceiver) observeRing(_ context.Context, o metric.Float64Observer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.source != nil && r.source.Attached() > 0 {
		o.Observe(r.reader.Used())
	}
	return nil
}

func (r *ebpfReceiver) observePrograms(_ context.Context, o metric.Int64Observer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.source != nil {
		o.Observe(int64(r.source.Attached()))
	}
	return nil
}

func (r *ebpfReceiver) observeCaches(_ context.Context, o metric.Int64Observer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.source != nil {
		o.Observe(int64(r.containers.Len()), metric.WithAttributes(attribute.String("cache", "cgroups")))
	}
	return nil
}
