// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package ebpfreceiver

import (
	"context"
	"fmt"
	"runtime"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
)

// ebpfReceiver lets collectors that have the receiver be built, and their configurations be validated, off Linux.
type ebpfReceiver struct {
	logs    consumer.Logs
	metrics consumer.Metrics
}

func newReceiver(*Config, receiver.Settings) *ebpfReceiver { return &ebpfReceiver{} }

// Start implements component.Component; it always fails.
func (*ebpfReceiver) Start(context.Context, component.Host) error {
	return fmt.Errorf("the ebpf receiver runs on Linux only, not on %s: eBPF is a part of the Linux kernel", runtime.GOOS)
}

// Shutdown implements component.Component.
func (*ebpfReceiver) Shutdown(context.Context) error { return nil }

func (*ebpfReceiver) scrape(context.Context) (pmetric.Metrics, error) {
	return pmetric.NewMetrics(), nil
}
