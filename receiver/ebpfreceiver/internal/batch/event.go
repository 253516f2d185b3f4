// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"net/netip"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/xpdata"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// eventKinds is how many events of each program have a capacity of their own.
const eventKinds = 16

// capacities are the highest numbers of attributes of an event so far, by program and event number. A log record allocates
// room for that many at once.
type capacities [common.MaxPrograms][eventKinds]uint8

// Event is a log record that is being built. Put adds attributes, and End finishes it. A batch has one Event, so end it before
// the next one begins. Put methods ignore empty strings, so unknown values are absent.
//
// Unlike a pcommon.Map it does not check whether a key exists already: put no key twice.
type Event struct {
	batch      *Batch
	lr         plog.LogRecord
	attributes xpdata.MapBuilder
	count      uint8
	// capacity is the number of attributes of such events.
	capacity *uint8
}

// Event begins the log record of a record of the ring, with its time, in the resource of the cgroup's container.
func (b *Batch) Event(record *common.Record, cgroup uint64, name string, severity plog.SeverityNumber) *Event {
	capacity := &b.capacities[record.Program][min(record.Event, eventKinds-1)]
	return b.begin(b.Append(record, cgroup, name, severity), capacity)
}

// EventAt begins a log record of user space.
func (b *Batch) EventAt(at pcommon.Timestamp, cgroup uint64, name string, severity plog.SeverityNumber) *Event {
	// No record is of program 0.
	return b.begin(b.AppendAt(at, cgroup, name, severity), &b.capacities[0][0])
}

func (b *Batch) begin(lr plog.LogRecord, capacity *uint8) *Event {
	e := &b.event
	e.batch, e.lr, e.count, e.capacity = b, lr, 0, capacity
	return e
}

func (e *Event) put(key string) pcommon.Value {
	if e.count == 0 {
		e.attributes.EnsureCapacity(int(*e.capacity))
	}
	e.count++
	return e.attributes.AppendEmpty(key)
}

// PutStr puts a string, unless it is empty.
func (e *Event) PutStr(key, value string) {
	if value != "" {
		e.put(key).SetStr(value)
	}
}

// PutText puts a text that probably repeats, such as a process name, unless it is empty.
func (e *Event) PutText(key string, text []byte) {
	if len(text) > 0 {
		e.put(key).SetStr(e.batch.Names.Get(text))
	}
}

// PutAddress puts an IP address.
func (e *Event) PutAddress(key string, address netip.Addr) {
	e.put(key).SetStr(e.batch.Addresses.Get(address))
}

// PutInt puts an integer.
func (e *Event) PutInt(key string, value int64) { e.put(key).SetInt(value) }

// PutDouble puts a floating-point number.
func (e *Event) PutDouble(key string, value float64) { e.put(key).SetDouble(value) }

// PutBool puts a boolean.
func (e *Event) PutBool(key string, value bool) { e.put(key).SetBool(value) }

// PutStrings puts a list of strings.
func (e *Event) PutStrings(key string, values []string) {
	list := e.PutSlice(key)
	list.EnsureCapacity(len(values))
	for _, value := range values {
		list.AppendEmpty().SetStr(value)
	}
}

// PutSlice puts an empty list and returns it, for its elements to be added before the next Put.
func (e *Event) PutSlice(key string) pcommon.Slice { return e.put(key).SetEmptySlice() }

// End finishes the log record. appendBody appends the body to a text; it is called only if log records have a body. End escapes
// control characters, so that the body is one line.
func (e *Event) End(appendBody func(text []byte) []byte) {
	*e.capacity = max(*e.capacity, e.count)
	e.attributes.UnsafeIntoMap(e.lr.Attributes())
	if e.batch.settings.Body {
		e.batch.Text = escapeLine(appendBody(e.batch.Text[:0]))
		e.lr.Body().SetStr(e.batch.bodies.add(e.batch.Text))
	}
}
