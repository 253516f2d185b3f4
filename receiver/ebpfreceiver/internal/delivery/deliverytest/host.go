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

// Host keeps the status events that are reported to it.
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

// AWhile is enough for what was written to the ring to be delivered, with the default flush interval.
const AWhile = time.Second

// Rest is enough for the loop to have looked for losses once more after its last event; then it sleeps.
const Rest = 2 * time.Second

// Pass lets time go by in a synctest bubble, until all that should have happened has happened.
func Pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
