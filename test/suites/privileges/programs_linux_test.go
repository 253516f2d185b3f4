// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
)

// use is one way to run a program: a row of the table of capabilities.
type use struct {
	program provoke.Program
	programs.Privileges
}

// uses are all programs, each in all ways that need different capabilities.
func uses() (all []use) {
	for _, p := range programs.All() {
		for _, way := range p.Privileges {
			all = append(all, use{provoke.Of(p.Name), way})
		}
	}
	return all
}

// title is the name of the use's subtest.
func (u use) title() string {
	if u.With == "" {
		return u.program.Name
	}
	return u.program.Name + " with " + u.With
}

// trial prepares a collector with only this program.
func (u use) trial(t *testing.T, r restrict.Restriction) *trial {
	t.Helper()
	return u.trialOf(t, publicCollector(t), r)
}

func (u use) trialOf(t *testing.T, binary string, r restrict.Restriction) *trial {
	t.Helper()
	receiver := "{collection_interval: 500ms, programs: {" + u.program.Name + ": " + u.Settings + "}}"
	var more []string
	if u.program.Settings != "" {
		more = append(more, "yaml:receivers: {ebpf: {programs: {"+u.program.Name+": "+u.program.Settings+"}}}")
	}
	return newTrialOf(t, binary, receiver, r, more...)
}

// provoke provokes an event of the program and returns it. If no provocation is known, it waits until the program is
// attached.
func (u use) provoke(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	event := u.program.Event
	if with := u.program.With[u.With]; with != nil {
		event = with
	}
	if event == nil {
		event = func(t *testing.T, events provoke.Events) collector.Event {
			t.Helper()
			var attached []collector.Event
			require.Eventually(t, func() bool {
				attached = events.Matching(t, nil, "ebpf.program.state", map[string]any{
					"ebpf.program.name": u.program.Name, "ebpf.program.state": "attached",
				})
				return len(attached) > 0
			}, provoke.Patience, provoke.Patience/200, "program %s is not attached", u.program.Name)
			return attached[0]
		}
	}
	return event(t, tr.events)
}

// documented are the capabilities in the table.
func (u use) documented() (names []string) {
	for _, c := range programs.Capabilities {
		if u.Serves[c] != "" || slices.Contains(u.Needed, c) {
			names = append(names, c)
		}
	}
	return names
}

// Every program of the collector is in the list, and every registered provocation is of a program in the list.
func TestEveryProgramIsListed(t *testing.T) {
	log := newTrial(t, "{programs: {none: }}", restrictedTo()).fail(t)
	known := regexp.MustCompile(`there is no such program; the programs are ([a-z_, ]+)`).FindStringSubmatch(log)
	require.NotNil(t, known, log)
	var listed []string
	for _, p := range programs.All() {
		listed = append(listed, p.Name)
	}
	assert.Equal(t, strings.Split(known[1], ", "), listed)
	assert.Subset(t, listed, provoke.Names())
}
