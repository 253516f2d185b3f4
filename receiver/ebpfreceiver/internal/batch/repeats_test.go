// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

type client struct {
	name string
	pid  int64
}

func (c *client) put(e *Event) {
	e.PutStr("name", c.name)
	e.PutInt("pid", c.pid)
	e.PutDouble("double", 0.5)
	e.PutBool("bool", true)
}

// fill makes events of these clients, each with a number of its own, and returns the log records.
func fill(t *testing.T, b *Batch, r *Repeats[client], clients ...client) plog.LogRecordSlice {
	t.Helper()
	for i, one := range clients {
		e := b.Event(record(3, 7), 0, "ebpf.test", plog.SeverityNumberInfo)
		r.Put(e, uint32(one.pid), &one, (*client).put)
		e.PutInt("number", int64(i))
		e.PutStr("last", one.name)
		e.End(empty)
	}
	records := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, len(clients), records.Len())
	return records
}

func (c *client) want(i int) map[string]any {
	return map[string]any{"name": c.name, "pid": c.pid, "double": 0.5, "bool": true, "number": int64(i), "last": c.name}
}

func TestRepeats(t *testing.T) {
	b, r := New(settings()), &Repeats[client]{}
	curl, wget, other := client{"curl", 1}, client{"wget", 2}, client{"curl", 1 + repeatSlots}
	clients := []client{curl, wget, curl, curl, wget, other, curl, curl, other, other, other, wget, curl, {}, {}, {}}
	for range 4 {
		for i, lr := range fill(t, b, r, clients...).All() {
			want := clients[i].want(i)
			if clients[i] == (client{}) {
				delete(want, "name")
				delete(want, "last")
			}
			assert.Equal(t, want, lr.Attributes().AsRaw(), "event %d", i)
		}
	}
}

// Whoever changes the attributes of an event changes those of no other.
func TestRepeatsAreNotShared(t *testing.T) {
	b, r := New(settings()), &Repeats[client]{}
	curl := client{"curl", 1}
	all := func() plog.LogRecordSlice { return fill(t, b, r, curl, curl, curl, curl, curl) }
	all()
	all()
	records := all()
	first := records.At(0).Attributes()
	first.PutStr("name", "changed")
	first.PutInt("pid", 2)
	first.PutDouble("double", 1.5)
	first.PutBool("bool", false)
	first.PutStr("new", "")
	second := records.At(1).Attributes()
	second.PutEmptySlice("name").AppendEmpty().SetStr("list")
	second.Remove("pid")
	third := records.At(2).Attributes()
	records.At(3).Attributes().CopyTo(third)
	for key := range third.All() {
		value, _ := third.Get(key)
		value.SetStr("overwritten")
	}
	for _, i := range []int{3, 4} {
		assert.Equal(t, curl.want(i), records.At(i).Attributes().AsRaw())
	}
	for i, lr := range all().All() {
		assert.Equal(t, curl.want(i), lr.Attributes().AsRaw())
	}
}

// Values that repeat take no memory.
func TestRepeatsAllocate(t *testing.T) {
	s := settings()
	s.Body, s.Size = false, 1<<20
	b, r := New(s), &Repeats[client]{}
	curl := client{"curl", 1}
	fill(t, b, r, curl, curl, curl, curl, curl, curl)
	event := func() {
		e := b.Event(record(3, 7), 0, "ebpf.test", plog.SeverityNumberInfo)
		r.Put(e, 1, &curl, (*client).put)
		e.End(empty)
	}
	event()
	alone := testing.AllocsPerRun(1000, func() { b.Event(record(3, 7), 0, "ebpf.test", plog.SeverityNumberInfo).End(empty) })
	assert.InDelta(t, alone+1, testing.AllocsPerRun(1000, event), 0.1, "one for all attributes")
}
