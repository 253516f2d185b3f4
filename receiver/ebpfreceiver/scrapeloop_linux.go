// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
)

// scrapeLoop scrapes once per interval for events that programs find in a scrape. It replaces a missing metrics pipeline; the
// metrics are dropped.
type scrapeLoop struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// needsScrapeLoop reports whether a program's events depend on scrapes and there is no metrics pipeline.
func (r *ebpfReceiver) needsScrapeLoop() bool {
	if r.logs == nil || r.metrics != nil {
		return false
	}
	for definition, config := range r.config.Programs.selected() {
		if definition.EventsOfScrape && config.Common().Events {
			return true
		}
	}
	return false
}

func startScrapeLoop(interval time.Duration, logger *zap.Logger, scrape func(context.Context) (pmetric.Metrics, error)) *scrapeLoop {
	ctx, cancel := context.WithCancel(context.Background())
	l := &scrapeLoop{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if _, err := scrape(ctx); err != nil {
				logger.Error("Scrape for events failed", zap.Error(err))
			}
		}
	}()
	return l
}

// stop returns when no scrape is running.
func (l *scrapeLoop) stop() {
	if l != nil {
		l.cancel()
		<-l.done
	}
}
