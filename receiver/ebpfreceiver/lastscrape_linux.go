// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"

	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// publishLast publishes what the programs, which are detached, have counted since the last collection. The scraper controller
// collects nothing at its end.
func (r *ebpfReceiver) publishLast(ctx context.Context, source source) {
	if r.metrics == nil {
		return
	}
	failed := func(err error) {
		r.settings.Logger.Warn("Cannot publish the last metrics; what was counted since the last collection is lost", zap.Error(err))
	}
	report, err := r.newReport()
	if err != nil {
		failed(err)
		return
	}
	all, err := r.read(source)
	if err != nil {
		failed(err) // what could be read is still good
	}
	ctx = report.StartMetricsOp(ctx)
	count := all.DataPointCount()
	err = r.metrics.ConsumeMetrics(ctx, all)
	report.EndMetricsOp(ctx, metadata.Type.String(), count, err)
	if err != nil {
		failed(err)
	}
}
