// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package batch collects log records in the form in which the next consumer takes them.
package batch

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// Settings are what a Batch needs of its receiver.
type Settings struct {
	Clock      *kernel.Clock
	Containers *kernel.Containers
	Resources  *metadata.ResourceBuilder
	// Include reports whether the events of a resource are wanted.
	Include   func(pcommon.Resource) bool
	ScopeName string
	Version   string
	// Body is whether log records get a body, one line for people.
	Body bool
	// Size is how many log records a full batch holds.
	Size int
}

// Batch is a batch that is being filled. Only one goroutine may use it.
type Batch struct {
	Names     *Names
	Addresses *Addresses
	// Domains are the names that processes have looked up so far.
	Domains *Domains
	// Text is a buffer for one body: append to Text[:0] and store the result.
	Text []byte

	settings   Settings
	event      Event
	bodies     bodies
	capacities capacities
	logs       plog.Logs
	scopes     map[*kernel.Container]plog.LogRecordSlice
	last       lastScope
	observed   pcommon.Timestamp
	began      time.Time
	count      int
	programs   [common.MaxPrograms]int
}

// New returns an empty batch.
func New(settings Settings) *Batch {
	return &Batch{
		Names:     NewNames(),
		Addresses: NewAddresses(),
		Domains:   NewDomains(),
		settings:  settings,
		logs:      plog.NewLogs(),
		scopes:    map[*kernel.Container]plog.LogRecordSlice{},
	}
}

// Observe sets the observed time of the following log records. For an event later than that, it is the time of the event.
func (b *Batch) Observe(now time.Time) { b.observed = pcommon.NewTimestampFromTime(now) }

// Append appends a log record for a record of the ring, with its time, to the resource of the cgroup's container, if it has
// one.
func (b *Batch) Append(record *common.Record, cgroup uint64, eventName string, severity plog.SeverityNumber) plog.LogRecord {
	before := b.count
	lr := b.AppendAt(b.settings.Clock.Wall(record.Time), cgroup, eventName, severity)
	b.programs[record.Program] += b.count - before
	return lr
}

// AppendFor calls appendLog, and counts the log records that it appends as events of a program.
func (b *Batch) AppendFor(program uint8, appendLog func(b *Batch)) {
	before := b.count
	appendLog(b)
	b.programs[program] += b.count - before
}

// AppendAt appends a log record from user space, which has no record in the ring.
func (b *Batch) AppendAt(at pcommon.Timestamp, cgroup uint64, eventName string, severity plog.SeverityNumber) plog.LogRecord {
	if b.count == 0 {
		b.began = time.Now()
	}
	var lr plog.LogRecord
	if records := b.scope(cgroup); records == unwanted {
		lr = plog.NewLogRecord() // the caller fills it, nobody gets it
	} else {
		lr = records.AppendEmpty()
		b.count++
	}
	lr.SetTimestamp(at)
	lr.SetObservedTimestamp(max(b.observed, at))
	lr.SetEventName(eventName)
	lr.SetSeverityNumber(severity)
	lr.SetSeverityText(severityText(severity))
	return lr
}

func severityText(severity plog.SeverityNumber) string {
	switch severity {
	case plog.SeverityNumberWarn:
		return "WARN"
	case plog.SeverityNumberError:
		return "ERROR"
	default:
		return "INFO"
	}
}

// unwanted marks a resource that is filtered out.
var unwanted plog.LogRecordSlice

// lastScope is where the log record before went, if it was of a container: events of one often follow each other. What is not
// known to be a container may become one, so that is asked for each time.
type lastScope struct {
	cgroup  uint64 // 0: there is none
	records plog.LogRecordSlice
}

func (b *Batch) scope(cgroup uint64) plog.LogRecordSlice {
	if cgroup != 0 && cgroup == b.last.cgroup {
		return b.last.records
	}
	var container *kernel.Container
	if cgroup != 0 {
		container = b.settings.Containers.Lookup(cgroup)
	}
	records := b.scopeOf(container)
	if container != nil {
		b.last = lastScope{cgroup, records}
	}
	return records
}

func (b *Batch) scopeOf(container *kernel.Container) plog.LogRecordSlice {
	if records, ok := b.scopes[container]; ok {
		return records
	}
	resource := b.settings.resource(container)
	if !b.settings.Include(resource) {
		b.scopes[container] = unwanted
		return unwanted
	}
	rl := b.logs.ResourceLogs().AppendEmpty()
	resource.MoveTo(rl.Resource())
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(b.settings.ScopeName)
	sl.Scope().SetVersion(b.settings.Version)
	records := sl.LogRecords()
	if container == nil {
		records.EnsureCapacity(b.settings.Size)
	}
	b.scopes[container] = records
	return records
}

func (s *Settings) resource(container *kernel.Container) pcommon.Resource {
	if container != nil {
		SetContainer(s.Resources, container)
	}
	return s.Resources.Emit()
}

// SetContainer puts a container's attributes into the resource that is being built.
func SetContainer(rb *metadata.ResourceBuilder, container *kernel.Container) {
	for _, attribute := range [...]struct {
		set   func(string)
		value string
	}{
		{rb.SetContainerID, container.ID},
		{rb.SetK8sPodUID, container.PodUID},
		{rb.SetProcessLinuxCgroup, container.CgroupPath},
		{rb.SetSystemdUnitName, container.Unit},
	} {
		if attribute.value != "" {
			attribute.set(attribute.value)
		}
	}
}

// Len returns the number of log records.
func (b *Batch) Len() int { return b.count }

// Room returns how many log records fit until the batch is full. It may be negative.
func (b *Batch) Room() int { return b.settings.Size - b.count }

// Age returns how long ago the first log record was added.
func (b *Batch) Age() time.Duration {
	if b.count == 0 {
		return 0
	}
	return time.Since(b.began)
}

// Payload is the content of a batch when it is flushed.
type Payload struct {
	Logs plog.Logs
	// Count is the number of log records.
	Count int
	// ByProgram counts the log records of programs' events, by the program's number.
	ByProgram [common.MaxPrograms]int
}

// Flush returns the log records and begins an empty batch.
func (b *Batch) Flush() Payload {
	p := Payload{Logs: b.logs, Count: b.count, ByProgram: b.programs}
	b.logs = plog.NewLogs()
	clear(b.scopes)
	b.last = lastScope{}
	b.count = 0
	b.programs = [common.MaxPrograms]int{}
	return p
}
