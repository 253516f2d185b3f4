// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

func TestStates(t *testing.T) {
	failure := errors.New("no such hook")
	var states States
	for _, step := range []struct {
		state State
		want  map[string]string
	}{
		{State{Program: "tcp", Name: StateLoading}, map[string]string{"tcp": "loading"}},
		{State{Program: "tcp", Name: StateAttached, Hook: "a"}, map[string]string{"tcp": "attached"}},
		{State{Program: "tcp", Name: StateAttached, Hook: "b"}, map[string]string{"tcp": "attached"}},
		{State{Program: "oom", Name: StateLoading}, map[string]string{"tcp": "attached", "oom": "loading"}},
		{State{Program: "oom", Name: StateFailed, Err: failure}, map[string]string{"tcp": "attached", "oom": "failed"}},
		{State{Program: "tcp", Name: StateFailed, Hook: "c", Err: failure}, map[string]string{"tcp": "attached", "oom": "failed"}},
		{State{Program: "tcp", Name: StateDetached, Hook: "a"}, map[string]string{"tcp": "attached", "oom": "failed"}},
		{State{Program: "tcp", Name: StateDetached, Hook: "b"}, map[string]string{"tcp": "detached", "oom": "failed"}},
		{State{Program: "tcp", Name: StateAttached, Hook: "a"}, map[string]string{"tcp": "attached", "oom": "failed"}},
		{State{Program: "tcp", Name: StateDetached}, map[string]string{"tcp": "detached", "oom": "failed"}},
	} {
		states.Report(step.state)
		m := newTestMetrics(kernel.NewContainers(kernel.AllFields))
		states.Scrape(m)
		metric := m.Emit().ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
		assert.Equal(t, "ebpf.program.state", metric.Name())
		assert.False(t, metric.Sum().IsMonotonic())
		got := map[string]string{}
		for _, point := range metric.Sum().DataPoints().All() {
			assert.Equal(t, int64(1), point.IntValue())
			name, _ := point.Attributes().Get("ebpf.program.name")
			state, _ := point.Attributes().Get("ebpf.program.state")
			assert.NotContains(t, got, name.Str())
			got[name.Str()] = state.Str()
		}
		assert.Equal(t, step.want, got)
	}
}
