// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package deliverytest

import (
	"sync"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
)

// Host keeps reported status events.
type Host struct {
	component.Host
	mu     sync.Mutex
	events []*componentstatus.Event
}

// NewHost returns a host.
func NewHost() *Host { return &Host{Host: componenttest.NewNopHost()} }

// Report implements componentstatus.Reporter.
func (h *Host) Report(event *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
}

// Events returns the status events.
func (h *Host) Events() []*componentstatus.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events
}

// Statuses returns the statuses of the events.
func (h *Host) Statuses() []componentstatus.Status {
	events := h.Events()
	statuses := make([]componentstatus.Status, len(events))
	for i, event := range events {
		statuses[i] = event.Status()
	}
	return statuses
}

// AWhile is long enough to deliver what was written to the ring, with the default flush interval.
const AWhile = time.Second

// Rest is long enough for the loop to check for losses once more after its last event. After that it sleeps.
const Rest = 2 * time.Second

// Pass lets time pass in a synctest bubble, and waits until all goroutines are blocked.
func Pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
