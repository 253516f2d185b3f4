// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// reports keeps the statuses that a component reports.
type reports struct {
	component.Host
	events []*componentstatus.Event
}

func (r *reports) Report(event *componentstatus.Event) { r.events = append(r.events, event) }

// last returns the last status, with its error.
func (r *reports) last() string {
	event := r.events[len(r.events)-1]
	if event.Err() != nil {
		return event.Status().String() + ": " + event.Err().Error()
	}
	return event.Status().String()
}

// While one part of the receiver is not well, another one that is does not say that all is.
func TestStatusesOfParts(t *testing.T) {
	host := &reports{}
	s := &statuses{host: host}
	delivery, limiter := s.part(host), s.part(host)
	refused, limited := errors.New("refused"), errors.New("limited")
	for _, tt := range []struct {
		part  component.Host
		event *componentstatus.Event
		want  string
	}{
		{delivery, componentstatus.NewRecoverableErrorEvent(refused), "StatusRecoverableError: refused"},
		{limiter, componentstatus.NewRecoverableErrorEvent(limited), "StatusRecoverableError: refused\nlimited"},
		{delivery, componentstatus.NewEvent(componentstatus.StatusOK), "StatusRecoverableError: limited"},
		{limiter, componentstatus.NewEvent(componentstatus.StatusOK), "StatusOK"},
		{delivery, componentstatus.NewPermanentErrorEvent(refused), "StatusPermanentError: refused"},
	} {
		componentstatus.ReportStatus(tt.part, tt.event)
		assert.Equal(t, tt.want, host.last())
	}
}
