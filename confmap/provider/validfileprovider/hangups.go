// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package validfileprovider

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/confmap"
)

// hangUps has the collector reload its configuration on a SIGHUP that comes while it starts. It listens to the signal only when all
// components run, and until then the signal would end it.
type hangUps struct {
	// patience is how long the collector may take to ask for its configuration after the signal, if it does so by itself.
	patience time.Duration
	// reloads counts how often it has asked.
	reloads atomic.Int64

	stop, stopped chan struct{} // nil: not followed
}

// follow begins to listen. reload makes the collector ask for its configuration once it has started.
func (h *hangUps) follow(reload confmap.WatcherFunc) {
	if h.stop != nil || reload == nil {
		return
	}
	h.stop, h.stopped = make(chan struct{}), make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer close(h.stopped)
		defer signal.Stop(signals)
		for {
			select {
			case <-h.stop:
				return
			case <-signals:
			}
			before := h.reloads.Load()
			select {
			case <-h.stop:
				return
			case <-time.After(h.patience):
			}
			if h.reloads.Load() == before {
				reload(&confmap.ChangeEvent{})
			}
		}
	}()
}

// end stops listening.
func (h *hangUps) end() {
	if h.stop == nil {
		return
	}
	close(h.stop)
	<-h.stopped
	h.stop = nil
}
