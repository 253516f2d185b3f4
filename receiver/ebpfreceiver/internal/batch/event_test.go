// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

// empty is a body without text.
func empty(text []byte) []byte { return text }

func TestEvent(t *testing.T) {
	for _, body := range []bool{true, false} {
		s := settings()
		s.Body = body
		b := New(s)
		for i := range int64(3) {
			e := b.Event(record(3, 7), 0, "ebpf.test", plog.SeverityNumberWarn)
			e.PutStr("string", "s")
			e.PutStr("no.string", "")
			e.PutText("text", []byte("caf\xe9"))
			e.PutText("no.text", nil)
			e.PutAddress("address", netip.MustParseAddr("10.0.0.5"))
			e.PutInt("int", i)
			e.PutDouble("double", 0.5)
			e.PutBool("bool", true)
			list := e.PutSlice("list")
			list.AppendEmpty().SetInt(1)
			e.PutStr("after", "list")
			e.End(func(text []byte) []byte { return append(text, "one line"...) })
		}
		records := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		require.Equal(t, 3, records.Len())
		for i, lr := range records.All() {
			assert.Equal(t, map[string]any{
				"string": "s", "text": "caf\uFFFD", "address": "10.0.0.5", "int": int64(i), "double": 0.5, "bool": true,
				"list": []any{int64(1)}, "after": "list",
			}, lr.Attributes().AsRaw(), "unknown attributes are absent")
			assert.Equal(t, "ebpf.test", lr.EventName())
			if body {
				assert.Equal(t, "one line", lr.Body().Str())
			} else {
				assert.Empty(t, lr.Body().AsString())
			}
		}
	}
}

// An event allocates room for as many attributes at once as earlier events of its kind had.
func TestEventCapacity(t *testing.T) {
	b := New(settings())
	put := func(event uint8, n int) {
		r := record(3, 1)
		r.Event = event
		e := b.Event(r, 0, "", plog.SeverityNumberInfo)
		for range n {
			e.PutInt("key", 1)
		}
		e.End(empty)
	}
	put(1, 5)
	put(1, 3)
	put(2, 20)
	put(200, 7)
	assert.EqualValues(t, 5, b.capacities[3][1])
	assert.EqualValues(t, 20, b.capacities[3][2])
	assert.EqualValues(t, 7, b.capacities[3][eventKinds-1])
	b.EventAt(1, 0, "", plog.SeverityNumberInfo).End(empty)
	assert.Zero(t, b.capacities[0][0])
}

// Besides the log record itself, an event needs one allocation for its attributes.
func TestEventAllocates(t *testing.T) {
	s := settings()
	s.Size, s.Body = 1<<12, true
	b := New(s)
	r, names := record(3, 1), []string{"a", "b", "c", "d", "e", "f", "g"}
	one := func() {
		e := b.Event(r, 0, "ebpf.test", plog.SeverityNumberInfo)
		for i, name := range names {
			e.PutInt(name, int64(i))
		}
		e.End(empty)
		if b.Room() == 0 {
			b.Flush()
		}
	}
	one()
	without := testing.AllocsPerRun(1000, func() {
		b.Append(r, 0, "ebpf.test", plog.SeverityNumberInfo)
	})
	// One for the list of attributes, and one for each value.
	assert.InDelta(t, without+1+float64(len(names)), testing.AllocsPerRun(1000, one), 1)
}
