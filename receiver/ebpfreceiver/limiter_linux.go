// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/overhead"
)

// startLimiter begins to measure the programs if their cost has a limit.
func (r *ebpfReceiver) startLimiter(source source) *overhead.Limiter {
	if r.config.OverheadLimit == 0 || source.Attached() == 0 {
		return nil
	}
	host := r.status.part(r.status.host)
	return overhead.Start(overhead.Settings{
		Logger:   r.settings.Logger,
		Limit:    float64(r.config.OverheadLimit),
		Interval: r.config.OverheadInterval,
		Programs: source,
		Status: func(err error) {
			event := componentstatus.NewEvent(componentstatus.StatusOK)
			if err != nil {
				event = componentstatus.NewRecoverableErrorEvent(err)
			}
			componentstatus.ReportStatus(host, event)
		},
	})
}
