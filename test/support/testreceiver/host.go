// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testreceiver

import (
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// Host is the collector from the receiver's point of view. It keeps the status events that the receiver reports.
type Host struct {
	mu     sync.Mutex
	events []*componentstatus.Event
}

var (
	_ component.Host           = (*Host)(nil)
	_ componentstatus.Reporter = (*Host)(nil)
)

// GetExtensions implements component.Host.
func (h *Host) GetExtensions() map[component.ID]component.Component { return nil }

// Report implements componentstatus.Reporter.
func (h *Host) Report(event *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
}

// Statuses are the status events so far, in order.
func (h *Host) Statuses() []*componentstatus.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// Reported reports whether the status was reported after the first `after` events.
func (h *Host) Reported(status componentstatus.Status, after int) bool {
	events := h.Statuses()
	return len(events) > after && slices.ContainsFunc(events[after:], func(e *componentstatus.Event) bool {
		return e.Status() == status
	})
}
