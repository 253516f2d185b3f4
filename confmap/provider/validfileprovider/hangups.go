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

// hangUps makes the collector reload its configuration after a SIGHUP during its start. The collector itself handles the signal only
// when all components run; until then the signal would end it.
type hangUps struct {
	// patience is the maximum time from the signal until the collector reads its configuration by itself.
	patience time.Duration
	// reloads counts the reloads.
	reloads atomic.Int64

	stop, stopped chan struct{} // nil while signals are not handled
}

// follow begins to handle the signal. reload makes the collector read its configuration once it has started.
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

// end ends the handling.
func (h *hangUps) end() {
	if h.stop == nil {
		return
	}
	close(h.stop)
	<-h.stopped
	h.stop = nil
}
