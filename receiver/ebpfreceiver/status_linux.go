// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// statuses join what the parts of the receiver report: while one of them has a recoverable error, the receiver is not well, whatever
// another one reports.
type statuses struct {
	host component.Host

	mu    sync.Mutex
	parts []*statusPart
}

// statusPart is the host as one part of the receiver sees it.
type statusPart struct {
	component.Host
	all *statuses
	err error // nil: it is well
}

var _ componentstatus.Reporter = (*statusPart)(nil)

// part returns the host for one part.
func (s *statuses) part(host component.Host) component.Host {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &statusPart{Host: host, all: s}
	s.parts = append(s.parts, p)
	return p
}

// Report implements componentstatus.Reporter.
func (p *statusPart) Report(event *componentstatus.Event) {
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	switch event.Status() {
	case componentstatus.StatusRecoverableError:
		p.err = event.Err()
	case componentstatus.StatusOK:
		p.err = nil
	default:
		componentstatus.ReportStatus(p.all.host, event)
		return
	}
	var errs []error
	for _, part := range p.all.parts {
		errs = append(errs, part.err)
	}
	if err := errors.Join(errs...); err != nil {
		event = componentstatus.NewRecoverableErrorEvent(err)
	}
	componentstatus.ReportStatus(p.all.host, event)
}
