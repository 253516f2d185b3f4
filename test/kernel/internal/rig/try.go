// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rig

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/test/kernel/internal/traffic"
)

// Outcome is what came of starting a receiver in another process.
type Outcome struct {
	// Error is the text of Start's error, or "".
	Error string
	// Statuses are the component status events, as "status: error".
	Statuses []string
}

var try = traffic.Define("receiver.try", func(yaml string) (Outcome, error) {
	r, err := build(yaml)
	if err != nil {
		return Outcome{}, err
	}
	var o Outcome
	if err := r.Start(); err != nil {
		o.Error = err.Error()
	}
	for _, e := range r.Host.Statuses() {
		text := e.Status().String()
		if e.Err() != nil {
			text += ": " + e.Err().Error()
		}
		o.Statuses = append(o.Statuses, text)
	}
	return o, r.Shutdown()
})

// Try starts a receiver in the agent, which may lack capabilities or mounts, and shuts it down again.
func Try(a *traffic.Agent, yaml string) Outcome { return try.Call(a, yaml) }
