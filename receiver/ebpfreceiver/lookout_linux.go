// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// lookout scrapes once an interval where no metrics pipeline does, for the events that programs make of it.
type lookout struct {
	stop context.CancelFunc
	done chan struct{}
}

// wantsLookout returns whether there are programs whose events nobody would bring about otherwise.
func (r *ebpfReceiver) wantsLookout() bool {
	if r.logs == nil || r.scraped {
		return false
	}
	for definition, config := range r.config.Programs.selected() {
		if definition.EventsOfScrape && config.Common().Events {
			return true
		}
	}
	return false
}

func (r *ebpfReceiver) startLookout() *lookout {
	ctx, cancel := context.WithCancel(context.Background())
	l := &lookout{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		ticker := time.NewTicker(r.config.CollectionInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if _, err := r.scrape(ctx); err != nil {
				r.settings.Logger.Error("Not all that events are made of can be read", zap.Error(err))
			}
		}
	}()
	return l
}

// end returns when there is no scrape any more.
func (l *lookout) end() {
	if l != nil {
		l.stop()
		<-l.done
	}
}
