// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package event has the event that the parts of the exporter share: a log record with its resource and scope.
package event

import (
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Event is one log record of the store.
type Event struct {
	// Sequence is the event's number in the order of arrival, from 1.
	Sequence int64
	Record   plog.LogRecord
	Origin   *Origin
}

// Origin is what the log records of one resource and scope have in common. It is shared, so nobody writes to it.
type Origin struct {
	Resource          pcommon.Resource
	ResourceSchemaURL string
	Scope             pcommon.InstrumentationScope
	ScopeSchemaURL    string
}

// CopyTo makes an empty batch of logs with this resource and scope, and returns the slice for their records.
func (o *Origin) CopyTo(logs plog.Logs) plog.LogRecordSlice {
	rl := logs.ResourceLogs().AppendEmpty()
	o.Resource.CopyTo(rl.Resource())
	rl.SetSchemaUrl(o.ResourceSchemaURL)
	sl := rl.ScopeLogs().AppendEmpty()
	o.Scope.CopyTo(sl.Scope())
	sl.SetSchemaUrl(o.ScopeSchemaURL)
	return sl.LogRecords()
}

// Program returns the program that an event name belongs to, such as packet_drop for ebpf.packet.drop, or "".
func Program(name string) string {
	rest, ok := strings.CutPrefix(name, "ebpf.")
	if !ok {
		return ""
	}
	if program, ok := programs[name]; ok {
		return program
	}
	program, _, _ := strings.Cut(rest, ".")
	return program
}

// Events whose second part is not the name of their program. Those of every program, ebpf.program.state and
// ebpf.event.lost, name theirs in an attribute.
var programs = map[string]string{
	"ebpf.packet.drop":         "packet_drop",
	"ebpf.disk.slow_operation": "disk_io",
	"ebpf.program.state":       "",
	"ebpf.event.lost":          "",
}

// Time returns when an event happened, in nanoseconds, or else when it was observed, or else now.
func Time(lr plog.LogRecord, now time.Time) int64 {
	switch {
	case lr.Timestamp() != 0:
		return int64(lr.Timestamp())
	case lr.ObservedTimestamp() != 0:
		return int64(lr.ObservedTimestamp())
	default:
		return now.UnixNano()
	}
}
