// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"cmp"
	"sync"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// States has the current states of a receiver's programs. It is safe for concurrent use.
type States struct {
	mu       sync.Mutex
	programs map[string]*presentState
}

type presentState struct {
	last string
	// reduced is StateEventsOff or StateSampled; "" if the program does everything that it could.
	reduced string
	// attached has the hooks that are attached.
	attached map[string]bool
}

// Report records a state. A state without a hook concerns all hooks of the program.
func (s *States) Report(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.programs == nil {
		s.programs = map[string]*presentState{}
	}
	p := s.programs[state.Program]
	if p == nil {
		p = &presentState{attached: map[string]bool{}}
		s.programs[state.Program] = p
	}
	switch {
	case state.Name == StateEventsOff || state.Name == StateSampled:
		p.reduced = state.Name
		return
	case state.Name == StateAttached && state.Hook == "":
		p.reduced = ""
		return
	}
	p.last = state.Name
	switch {
	case state.Name == StateAttached:
		p.attached[state.Hook] = true
	case state.Hook != "":
		delete(p.attached, state.Hook)
	default:
		clear(p.attached)
	}
}

// Scrape adds ebpf.program.state. A program that lost one of several hooks is still attached.
func (s *States) Scrape(m *metrics.Builder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	host := m.For(nil)
	for name, p := range s.programs {
		state := p.last
		if len(p.attached) > 0 {
			state = cmp.Or(p.reduced, StateAttached)
		}
		host.RecordEbpfProgramStateDataPoint(m.Now, 1,
			metadata.MapAttributeEbpfProgramState[state], metadata.WithEbpfProgramNameMetricAttribute(name))
	}
}
