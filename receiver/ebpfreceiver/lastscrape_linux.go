// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// publishLast publishes what the programs, which are detached, have counted since the last collection. The scraper controller
// collects nothing at its end.
func (r *ebpfReceiver) publishLast(ctx context.Context, source source) {
	if r.metrics == nil {
		return
	}
	all, err := r.read(source)
	if err != nil {
		r.warnOfLastMetrics(err) // what could be read is still good
	}
	r.publish(ctx, all)
}

// publishNow publishes the present metrics out of turn: programs are about to be removed, or to be added.
func (r *ebpfReceiver) publishNow() {
	if r.metrics == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	all, err := r.scrape(ctx)
	if err != nil {
		r.warnOfLastMetrics(err)
	}
	r.publish(ctx, all)
}

func (r *ebpfReceiver) publish(ctx context.Context, all pmetric.Metrics) {
	report, err := r.newReport()
	if err != nil {
		r.warnOfLastMetrics(err)
		return
	}
	ctx = report.StartMetricsOp(ctx)
	count := all.DataPointCount()
	err = r.metrics.ConsumeMetrics(ctx, all)
	report.EndMetricsOp(ctx, metadata.Type.String(), count, err)
	if err != nil {
		r.warnOfLastMetrics(err)
	}
}

func (r *ebpfReceiver) warnOfLastMetrics(err error) {
	r.settings.Logger.Warn("Cannot publish the last metrics; what was counted since the last collection is lost", zap.Error(err))
}
