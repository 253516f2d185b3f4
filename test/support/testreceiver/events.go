// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testreceiver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
)

// Event is a log record that the pipeline received.
type Event struct {
	Name, Body, Scope string
	Severity          plog.SeverityNumber
	SeverityText      string
	Time, Observed    time.Time
	// Attributes and Resource have the types of pdata's AsRaw: int64, float64, string, bool.
	Attributes, Resource map[string]any
}

// String formats the event on one line, for failed tests.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %q", e.Time.Format("15:04:05.000000"), e.Severity, e.Name, e.Body)
	for _, set := range []map[string]any{e.Resource, e.Attributes} {
		for _, key := range slices.Sorted(maps.Keys(set)) {
			fmt.Fprintf(&b, " %s=%v", key, set[key])
		}
	}
	return b.String()
}

// Events is the last consumer of a logs pipeline. By default it accepts everything.
type Events struct {
	mu     sync.Mutex
	events []Event
	calls  int
	// hidden are programs whose events the test did not ask for.
	hidden []string
	// answer decides whether ConsumeLogs accepts a batch; nil accepts it.
	answer func(context.Context) error
}

var _ consumer.Logs = (*Events)(nil)

// Capabilities implements consumer.Logs.
func (*Events) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeLogs implements consumer.Logs.
func (s *Events) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	s.mu.Lock()
	s.calls++
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		if err := answer(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rl := range logs.ResourceLogs().All() {
		resource := rl.Resource().Attributes().AsRaw()
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				s.events = append(s.events, Event{
					Name: lr.EventName(), Body: lr.Body().AsString(), Scope: sl.Scope().Name(),
					Severity: lr.SeverityNumber(), SeverityText: lr.SeverityText(),
					Time: lr.Timestamp().AsTime(), Observed: lr.ObservedTimestamp().AsTime(),
					Attributes: lr.Attributes().AsRaw(), Resource: resource,
				})
			}
		}
	}
	return nil
}

// Answer makes the consumer call f for each batch. An error of f refuses the batch. nil accepts everything again.
func (s *Events) Answer(f func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// Calls is how many batches were offered, including refused ones.
func (s *Events) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// Matching returns the events so far that satisfy all conditions.
func (s *Events) Matching(matches ...Match) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Event
	for _, e := range s.events {
		if !e.isOf(s.hidden) && all(e, matches) {
			found = append(found, e)
		}
	}
	return found
}

// Match is a condition on an event.
type Match func(Event) bool

func all(e Event, matches []Match) bool {
	return !slices.ContainsFunc(matches, func(m Match) bool { return !m(e) })
}

// Named selects events with these names.
func Named(names ...string) Match {
	return func(e Event) bool { return slices.Contains(names, e.Name) }
}

// With selects events with this value of the attribute. Numbers are int64 or float64.
func With(key string, value any) Match {
	return func(e Event) bool { return e.Attributes[key] == value }
}

// OfProcess selects events whose owner is one of the processes.
func OfProcess(pids ...int) Match {
	return func(e Event) bool {
		pid, ok := e.Attributes["process.pid"].(int64)
		return ok && slices.Contains(pids, int(pid))
	}
}

// InNamespace selects events of network namespaces.
func InNamespace(namespaces ...*testnet.Namespace) Match {
	return func(e Event) bool {
		inode, ok := e.Attributes["ebpf.network.namespace"].(int64)
		return ok && slices.ContainsFunc(namespaces, func(ns *testnet.Namespace) bool {
			// The kernel's time converted to wall time has an error below this. An older event is of an earlier namespace
			// with the same inode.
			return uint64(inode) == ns.Inode && e.Time.After(ns.Born.Add(-time.Millisecond))
		})
	}
}
