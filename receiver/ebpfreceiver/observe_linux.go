// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// observe publishes the gauges of the receiver's own telemetry.
func (r *ebpfReceiver) observe() error {
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
		o.Observe(r.events.reader.Used())
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
		o.Observe(int64(r.host.Containers.Len()), metric.WithAttributes(attribute.String("cache", "cgroups")))
	}
	return nil
}
