// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package query has the queries that every store of events answers.
package query

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// Filter selects events. Zero or nil fields exclude nothing.
type Filter struct {
	// Types are alternatives.
	Types []Type
	// Fields have one value each: int64 or string, as in event.Values.
	Fields map[event.Field]any
	// Address and Port match either side.
	Address *string
	Port    *int64
	// Severity is the lowest one.
	Severity plog.SeverityNumber
	// Attributes are of the log record or its resource, written as strings.
	Attributes map[string]string
	Since      time.Time
	// Until is exclusive.
	Until time.Time
}

// Type matches names of events.
type Type struct {
	Text string
	// Prefix says that Text is the beginning of a name or, without a dot, of a program.
	Prefix bool
	// Program says that Text may be the name of a program as well.
	Program bool
}

// Matches reports whether the type matches the name of an event.
func (t Type) Matches(name string) bool {
	switch {
	case t.Program:
		return event.Program(name) == t.Text || name == t.Text
	case t.Prefix:
		return strings.HasPrefix(name, t.Text) || !strings.Contains(t.Text, ".") && strings.HasPrefix(event.Program(name), t.Text)
	default:
		return name == t.Text
	}
}

// Cursor is a place in the order of events, by time and sequence number. The event there is not part of the next page.
type Cursor struct {
	Time     int64
	Sequence int64
	// Newest is the last event that had arrived when the first page was read. Pages leave later events out, so that they are
	// consistent.
	Newest int64
}

// Events asks for one page of events.
type Events struct {
	Filter
	Limit     int
	Ascending bool
	After     *Cursor
}

// Page is the answer to Events.
type Page struct {
	Events []event.Event
	// Next is where the next page begins, nil at the end.
	Next *Cursor
}

// Follow asks for events in the order in which they arrive.
type Follow struct {
	Filter
	// After is the sequence number of the last event that is known.
	After int64
	Limit int
}

// Count asks for counts of events.
type Count struct {
	Filter
	// By are the names of fields that events are counted by.
	By []Key
	// Step is the length of the parts of a time series, 0 for none.
	Step time.Duration
	// Samples asks for the newest event of each group.
	Samples bool
	// Recent says that this query is repeated, for a time that begins at a multiple of Part and ends about now. A store may then keep
	// the counts.
	Recent bool
}

// Part is the resolution of the kept counts.
const Part = 10 * time.Second

// Key is what events are grouped by: a field, an attribute, or one of the names below.
type Key struct {
	Name      string
	Kind      KeyKind
	Field     event.Field
	Attribute string
}

// KeyKind is what a Key refers to.
type KeyKind int

// The kinds of keys.
const (
	ByType KeyKind = iota
	ByProgram
	BySeverity
	ByField
	ByAttribute
)

// Group is the number of events with the same values.
type Group struct {
	// Values are in the order of Count.By: nil, int64 or string.
	Values []any
	Count  int64
	First  int64
	Last   int64
	// Times are the counts by the start of their step, in nanoseconds.
	Times map[int64]int64
	// Sample is one of the newest events, if it was asked for.
	Sample int64
}

// Store is where events are kept. Its methods may be called at the same time.
type Store interface {
	Write(ctx context.Context, logs plog.Logs) error
	Events(ctx context.Context, q Events) (Page, error)
	// Follow returns events, and the sequence number up to which events were examined.
	Follow(ctx context.Context, q Follow) ([]event.Event, int64, error)
	Count(ctx context.Context, q Count) ([]Group, error)
	// Changed returns a channel that is closed when further events have arrived.
	Changed() <-chan struct{}
	Status() Status
	Close() error
}

// Status describes a store.
type Status struct {
	// Newest is the sequence number of the last event.
	Newest int64
	Stored int64
	// Oldest is the time of the oldest event in nanoseconds, 0 if there is none.
	Oldest  int64
	Evicted int64
	// Lost counts the events that were not stored, by cause.
	Lost map[string]int64
	// Bytes is how much of the disk the events take.
	Bytes int64
	// Damaged are the files that were set aside.
	Damaged []string
	// Sparse says that sequence numbers are microseconds of arrival, not a count.
	Sparse bool
	// Failure is the reason why events cannot be stored at the moment, or nil.
	Failure error
}
