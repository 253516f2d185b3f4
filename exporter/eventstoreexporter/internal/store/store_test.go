// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

func TestMain(m *testing.M) {
	if directory := os.Getenv("EVENT_STORE_WRITE"); directory != "" {
		writeUntilKilled(directory)
		return
	}
	goleak.VerifyTestMain(m)
}

func openStore(t testing.TB, settings Settings) *Store {
	t.Helper()
	if settings.Directory == "" {
		settings.Directory = t.TempDir()
	}
	if settings.MaxSize == 0 {
		settings.MaxSize = 1 << 30
	}
	settings.Logger = zap.NewNop()
	s, err := Open(settings)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// small makes slices of few records, so that queries have several to read.
func small(s *Store) *Store {
	s.sliceBytes = 100_000
	return s
}

func write(t testing.TB, s *Store, logs plog.Logs) {
	t.Helper()
	require.NoError(t, s.Write(context.Background(), logs))
}

func everything(t testing.TB, s *Store, q query.Events) []event.Event {
	t.Helper()
	var all []event.Event
	for {
		page, err := s.Events(context.Background(), q)
		require.NoError(t, err)
		all = append(all, page.Events...)
		if page.Next == nil {
			return all
		}
		assert.Len(t, page.Events, q.Limit)
		q.After = page.Next
	}
}

func timesOf(events []event.Event) []int {
	list := make([]int, len(events))
	for i := range events {
		at := events[i].Record.Timestamp().AsTime()
		list[i] = int(at.Sub(storetest.Start) / time.Millisecond)
	}
	return list
}

func TestRoundTrip(t *testing.T) {
	s := openStore(t, Settings{})
	logs := storetest.Logs(0, 100)
	lr := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty()
	at := storetest.Start.Add(100 * time.Millisecond)
	lr.SetTimestamp(pcommon.NewTimestampFromTime(at))
	lr.SetTraceID(pcommon.TraceID{1, 2})
	lr.SetSpanID(pcommon.SpanID{3, 4})
	lr.SetFlags(plog.DefaultLogRecordFlags.WithIsSampled(true))
	lr.SetDroppedAttributesCount(7)
	require.NoError(t, lr.Body().FromRaw(map[string]any{"a": []any{int64(1), "two", 3.5, true, []byte{6}, nil}}))
	a := lr.Attributes()
	a.PutStr("process.pid", "not a number")
	a.PutInt("error.type", 111)
	a.PutStr("source.address", "10.0.0.1")
	a.PutStr("client.address", "10.0.0.2")
	a.PutStr("", "")
	a.PutEmpty("nothing")
	a.PutEmptyBytes("bytes").FromRaw([]byte{0, 255})
	a.PutStr("long", strings.Repeat("x", 1000))
	a.PutEmptyMap("map").PutEmptyMap("inner").PutBool("b", false)
	a.PutDouble("endless", math.Inf(-1))
	a.PutStr("\xfd", "no trace id")
	a.PutStr("\xf8\xfd", "neither")
	a.PutBool("\xff", true)
	logs.ResourceLogs().At(0).Resource().Attributes().PutDouble("endless", math.Inf(1))
	want := plog.NewLogs()
	logs.CopyTo(want)
	write(t, s, logs)

	got := everything(t, s, query.Events{Limit: 1000, Ascending: true})
	require.Len(t, got, 101)
	marshaler := new(plog.JSONMarshaler)
	byTime := map[pcommon.Timestamp]string{}
	for _, rl := range want.ResourceLogs().All() {
		for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
			one := plog.NewLogs()
			rl.Resource().CopyTo(one.ResourceLogs().AppendEmpty().Resource())
			sl := one.ResourceLogs().At(0).ScopeLogs().AppendEmpty()
			rl.ScopeLogs().At(0).Scope().CopyTo(sl.Scope())
			lr.CopyTo(sl.LogRecords().AppendEmpty())
			text, err := marshaler.MarshalLogs(one)
			require.NoError(t, err)
			byTime[lr.Timestamp()] = string(text)
		}
	}
	for _, e := range got {
		one := plog.NewLogs()
		e.Record.CopyTo(e.Origin.CopyTo(one).AppendEmpty())
		text, err := marshaler.MarshalLogs(one)
		require.NoError(t, err)
		assert.Equal(t, byTime[e.Record.Timestamp()], string(text))
	}
}

// Each filter finds what a comparison in Go finds, in a store of several sealed files and one that is being written.
func TestFilters(t *testing.T) {
	s := small(openStore(t, Settings{}))
	const count = 6000
	for i := 0; i < count; i += 500 {
		write(t, s, storetest.Logs(i, 500))
	}
	require.Greater(t, len(s.all()), 3)
	all := everything(t, s, query.Events{Limit: 10000, Ascending: true})
	require.Len(t, all, count)
	text := func(s string) *string { return &s }
	port := int64(443)
	for name, test := range map[string]struct {
		filter query.Filter
		want   func(e *event.Event) bool
	}{
		"everything": {query.Filter{}, func(*event.Event) bool { return true }},
		"name":       {query.Filter{Types: []query.Type{{Text: "ebpf.packet.drop"}}}, func(e *event.Event) bool { return e.Record.EventName() == "ebpf.packet.drop" }},
		"prefix": {query.Filter{Types: []query.Type{{Text: "ebpf.connection.c", Prefix: true}}}, func(e *event.Event) bool {
			return strings.HasPrefix(e.Record.EventName(), "ebpf.connection.c")
		}},
		"programs": {query.Filter{Types: []query.Type{{Text: "packet_drop", Program: true}, {Text: "process", Program: true}}}, func(e *event.Event) bool {
			return slices.Contains([]string{"ebpf.packet.drop", "ebpf.process.exec"}, e.Record.EventName())
		}},
		"pid":        {fields(event.PID, int64(1042)), is("process.pid", "1042")},
		"command":    {fields(event.Executable, "curl"), is("process.executable.name", "curl")},
		"no command": {fields(event.Executable, "cur"), func(*event.Event) bool { return false }},
		"SQL":        {fields(event.Executable, "curl' OR '1'='1"), func(*event.Event) bool { return false }},
		"unit":       {fields(event.Unit, "sshd.service"), is("process.linux.cgroup", "0::/system.slice/sshd.service")},
		"container":  {fields(event.Container, storetest.ContainerID), func(e *event.Event) bool { return e.Origin.Resource.Attributes().Len() > 0 }},
		"error":      {fields(event.Error, "refused"), is("error.type", "refused")},
		"reason":     {fields(event.Reason, "tcp_csum"), is("ebpf.drop.reason", "tcp_csum")},
		"cookie":     {fields(event.Cookie, int64(100100)), is("ebpf.socket.cookie", "100100")},
		"address": {query.Filter{Address: text("10.0.1.5")}, func(e *event.Event) bool {
			return is("server.address", "10.0.1.5")(e) || is("destination.address", "10.0.1.5")(e)
		}},
		"own address": {query.Filter{Address: text("10.9.0.1")}, func(e *event.Event) bool {
			return is("client.address", "10.9.0.1")(e) || is("source.address", "10.9.0.1")(e)
		}},
		"port": {query.Filter{Port: &port}, func(e *event.Event) bool {
			return is("server.port", "443")(e) || is("destination.port", "443")(e)
		}},
		"severity":  {query.Filter{Severity: plog.SeverityNumberWarn}, func(e *event.Event) bool { return e.Record.SeverityText() == "WARN" }},
		"attribute": {query.Filter{Attributes: map[string]string{"ebpf.packet.size": "60"}}, is("ebpf.packet.size", "60")},
		"attribute of the resource": {query.Filter{Attributes: map[string]string{"container.id": storetest.ContainerID}}, func(e *event.Event) bool {
			return e.Origin.Resource.Attributes().Len() > 0
		}},
		"no attribute": {query.Filter{Attributes: map[string]string{"nobody.has": ""}}, func(*event.Event) bool { return false }},
		"time": {query.Filter{Since: storetest.Start.Add(time.Second), Until: storetest.Start.Add(2 * time.Second)}, func(e *event.Event) bool {
			at := e.Record.Timestamp().AsTime().Sub(storetest.Start)
			return at >= time.Second && at < 2*time.Second
		}},
		"two": {query.Filter{
			Fields: map[event.Field]any{event.Executable: "curl", event.PID: int64(1100)}, Severity: plog.SeverityNumberInfo,
		}, func(e *event.Event) bool {
			return is("process.pid", "1100")(e) && is("process.executable.name", "curl")(e)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var want []int
			for i := range all {
				if test.want(&all[i]) {
					want = append(want, timesOf(all[i : i+1])[0])
				}
			}
			for _, limit := range []int{10000, 97} {
				assert.Equal(t, append([]int{}, want...), timesOf(everything(t, s, query.Events{Filter: test.filter, Limit: limit, Ascending: true})))
				backwards := timesOf(everything(t, s, query.Events{Filter: test.filter, Limit: limit}))
				slices.Reverse(backwards)
				assert.Equal(t, append([]int{}, want...), backwards)
			}
			groups, err := s.Count(t.Context(), query.Count{Filter: test.filter})
			require.NoError(t, err)
			if len(want) == 0 {
				assert.Empty(t, groups)
			} else if assert.Len(t, groups, 1) {
				assert.Equal(t, int64(len(want)), groups[0].Count)
			}
		})
	}
}

func fields(field event.Field, value any) query.Filter {
	return query.Filter{Fields: map[event.Field]any{field: value}}
}

func is(key, value string) func(e *event.Event) bool {
	return func(e *event.Event) bool {
		v, ok := e.Record.Attributes().Get(key)
		return ok && v.AsString() == value
	}
}

// Pages fit together while events arrive, also events that are older than the page.
func TestPagesWhileEventsComeIn(t *testing.T) {
	for _, ascending := range []bool{true, false} {
		s := small(openStore(t, Settings{}))
		write(t, s, storetest.Logs(1000, 1000))
		q := query.Events{Limit: 77, Ascending: ascending}
		var got []int
		for i := 0; ; i++ {
			page, err := s.Events(t.Context(), q)
			require.NoError(t, err)
			got = append(got, timesOf(page.Events)...)
			if q.After = page.Next; page.Next == nil {
				break
			}
			write(t, s, storetest.Logs(i*50, 50))
			write(t, s, storetest.Logs(3000+i*300, 300))
		}
		if !ascending {
			slices.Reverse(got)
		}
		require.Len(t, got, 1000)
		for i, number := range got {
			require.Equal(t, 1000+i, number)
		}
	}
}

// Clients may leave at any time.
func TestClientLeaves(t *testing.T) {
	s := small(openStore(t, Settings{}))
	for i := 0; i < 3000; i += 500 {
		write(t, s, storetest.Logs(i, 500))
	}
	s.settled()
	for i := range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*50*time.Microsecond)
		page, err := s.Events(ctx, query.Events{Filter: fields(event.Executable, "curl"), Limit: 100})
		if err != nil {
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		} else {
			assert.Len(t, page.Events, 100)
		}
		cancel()
	}
	assert.Empty(t, s.Status().Damaged)
}

// Old files are removed while a client reads page after page: the remaining events come once and in order, and no page fails.
func TestPagesWhileFilesAreRemoved(t *testing.T) {
	for _, ascending := range []bool{true, false} {
		s := openStore(t, Settings{MaxSize: 1_000_000})
		s.sliceBytes = 250_000
		count := 0
		more := func() {
			write(t, s, storetest.Logs(count, 300))
			count += 300
		}
		for range 20 {
			more()
		}
		s.settled()
		q := query.Events{Limit: 400, Ascending: ascending}
		var got []int
		for newest := count; ; more() {
			page, err := s.Events(t.Context(), q)
			require.NoError(t, err)
			for _, number := range timesOf(page.Events) {
				require.Less(t, number, newest, "what came after the first page")
				if len(got) > 0 {
					require.Equal(t, ascending, number > got[len(got)-1])
					require.NotEqual(t, number, got[len(got)-1])
				}
				got = append(got, number)
			}
			if q.After = page.Next; page.Next == nil {
				break
			}
		}
		assert.Greater(t, s.Status().Evicted, int64(1000))
		assert.Greater(t, len(got), 1000)
		assert.Less(t, len(got), 6000, "some were removed meanwhile")
	}
}

// The clock of the host is set back and forth: each file has its own name, and none is removed too early or kept too long.
func TestClockSteps(t *testing.T) {
	now := storetest.Start
	s := small(openStore(t, Settings{MaxAge: 24 * time.Hour, Now: func() time.Time { return now }}))
	for i, step := range []time.Duration{0, -time.Hour, 2 * time.Hour, -time.Hour, 10 * time.Minute} {
		now = now.Add(step)
		write(t, s, storetest.Logs(i*1000, 1000))
	}
	s.settled()
	assert.Len(t, everything(t, s, query.Events{Limit: 1000}), 5000)
	for i := range 5 {
		from := storetest.Start.Add(time.Duration(i) * time.Second)
		got := timesOf(everything(t, s, query.Events{Filter: query.Filter{Since: from, Until: from.Add(time.Second)}, Limit: 300, Ascending: true}))
		require.Len(t, got, 1000)
		assert.Equal(t, []int{i * 1000, i*1000 + 999}, []int{got[0], got[999]})
	}

	// A clock that was years ahead for a while leaves no file that is kept for years.
	now = now.Add(10 * 365 * 24 * time.Hour)
	write(t, s, storetest.Logs(10_000, 1000))
	now = now.Add(-10 * 365 * 24 * time.Hour)
	write(t, s, storetest.Logs(20_000, 1000))
	now = now.Add(25 * time.Hour)
	write(t, s, storetest.Logs(30_000, 1000))
	now = now.Add(time.Hour)
	write(t, s, storetest.Logs(40_000, 1000))
	s.settled()
	for _, number := range timesOf(everything(t, s, query.Events{Limit: 10_000})) {
		assert.GreaterOrEqual(t, number, 30_000)
	}
}

// The clock is set back, so that events of the same time are in several files.
func TestOutOfOrder(t *testing.T) {
	s := small(openStore(t, Settings{}))
	var want []int
	for i := 40; i >= 0; i-- {
		write(t, s, storetest.Logs(i*50, 50))
		write(t, s, storetest.Logs(100_000-i*50, 50))
	}
	for i := range 41 * 50 {
		want = append(want, i)
	}
	require.Greater(t, len(s.all()), 3)
	got := timesOf(everything(t, s, query.Events{
		Filter: query.Filter{Until: storetest.Start.Add(50 * time.Second)}, Limit: 111, Ascending: true,
	}))
	assert.Equal(t, want, got)
}

func TestFollow(t *testing.T) {
	s := small(openStore(t, Settings{}))
	var got []int
	after := int64(0)
	changed := s.Changed()
	for i := range 30 {
		write(t, s, storetest.Logs(i*100, 100))
		select {
		case <-changed:
		default:
			t.Fatal("the write did not close Changed")
		}
		changed = s.Changed()
		for {
			events, next, err := s.Follow(t.Context(), query.Follow{Filter: fields(event.Executable, "curl"), After: after, Limit: 15})
			require.NoError(t, err)
			got = append(got, timesOf(events)...)
			after = next
			if len(events) < 15 {
				break
			}
		}
	}
	assert.Equal(t, int64(3000), after)
	require.Len(t, got, 600)
	slices.Sort(got) // a batch has the events of the container at its end
	for i, number := range got {
		require.Equal(t, i*5, number)
	}
}

func TestCountBy(t *testing.T) {
	s := small(openStore(t, Settings{}))
	write(t, s, storetest.Logs(0, 1000))
	write(t, s, storetest.Logs(1000, 1000))
	q := query.Count{By: []query.Key{{Kind: query.ByField, Field: event.Executable}, {Kind: query.ByProgram}}, Step: time.Second}
	groups, err := s.Count(t.Context(), q)
	require.NoError(t, err)
	q.Attributes = map[string]string{"process.user.id": "0"} // matches all, and has to be decoded
	again, err := s.Count(t.Context(), q)
	require.NoError(t, err)
	assert.ElementsMatch(t, groups, again)
	sum := int64(0)
	for _, group := range groups {
		sum += group.Count
		times := int64(0)
		for _, count := range group.Times {
			times += count
		}
		assert.Equal(t, group.Count, times)
	}
	assert.Equal(t, int64(2000), sum)
	byRole, err := s.Count(t.Context(), query.Count{By: []query.Key{{Kind: query.ByAttribute, Attribute: "ebpf.connection.role"}}})
	require.NoError(t, err)
	require.Len(t, byRole, 2)
	assert.ElementsMatch(t, []any{nil, "client"}, []any{byRole[0].Values[0], byRole[1].Values[0]})
}

func TestReopen(t *testing.T) {
	directory := t.TempDir()
	var all []int
	for run := range 5 {
		s, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
		require.NoError(t, err)
		small(s)
		for i := range 3 {
			from := run*600 + i*200
			write(t, s, storetest.Logs(from, 200))
			for number := range 200 {
				all = append(all, from+number)
			}
		}
		assert.Equal(t, all, timesOf(everything(t, s, query.Events{Limit: 500, Ascending: true})))
		require.NoError(t, s.Close())
	}
}

func TestOneStorePerDirectory(t *testing.T) {
	directory := t.TempDir()
	openStore(t, Settings{Directory: directory})
	_, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
	assert.ErrorContains(t, err, "is locked by the process "+strconv.Itoa(os.Getpid())+": a directory belongs to one exporter")
}

func TestRetention(t *testing.T) {
	now := storetest.Start
	s := small(openStore(t, Settings{MaxSize: 1_000_000, MaxAge: time.Hour, Now: func() time.Time { return now }}))
	for i := range 100 {
		write(t, s, storetest.Logs(i*100, 100))
	}
	s.settled()
	status := s.Status()
	assert.Equal(t, int64(10_000), status.Stored)
	assert.Positive(t, status.Evicted)
	assert.LessOrEqual(t, status.Bytes, int64(1_300_000), "what is allowed and one slice at work")
	got := timesOf(everything(t, s, query.Events{Limit: 10_000, Ascending: true}))
	assert.Len(t, got, int(status.Stored-status.Evicted))
	assert.Equal(t, 9999, got[len(got)-1])
	assert.Equal(t, storetest.Start.Add(time.Duration(got[0])*time.Millisecond).UnixNano(), status.Oldest)

	now = now.Add(2 * time.Hour)
	write(t, s, storetest.Logs(10_000, 10))
	now = now.Add(2 * time.Hour)
	write(t, s, storetest.Logs(20_000, 10))
	s.settled()
	assert.Equal(t, int64(10_010), s.Status().Evicted+int64(len(everything(t, s, query.Events{Limit: 100})))-10)
}

// settled waits until no file is being sealed.
func (s *Store) settled() {
	for range cap(s.unsealed) {
		s.unsealed <- struct{}{}
	}
	for range cap(s.unsealed) {
		<-s.unsealed
	}
}

// A damaged file is set aside, and the log names it. The others are read, and events are stored in a new one.
func TestDamage(t *testing.T) {
	garbage := func(t *testing.T, path string) {
		require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("garbage ", 10000)), 0o600))
	}
	for name, damage := range map[string]func(t *testing.T, path string){
		"truncated": func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 10_000)) },
		"deleted":   func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"garbage":   garbage,
		"directory": func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		},
		"replaced": func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			garbage(t, path)
		},
	} {
		for _, running := range []bool{true, false} {
			for _, which := range []string{"sealed", "at work"} {
				t.Run(name+" "+which+" "+strconv.FormatBool(running), func(t *testing.T) {
					directory := t.TempDir()
					s, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
					require.NoError(t, err)
					defer func() { assert.NoError(t, s.Close()) }()
					small(s)
					for i := range 12 {
						write(t, s, storetest.Logs(i*200, 200))
					}
					s.settled()
					files := s.all()
					require.Greater(t, len(files), 2)
					path := files[1].path
					if which == "at work" {
						path = files[len(files)-1].path
					}
					if !running {
						require.NoError(t, s.Close())
					}
					damage(t, path)
					if !running {
						s, err = Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
						require.NoError(t, err)
						small(s)
					}
					write(t, s, storetest.Logs(5000, 100))
					got := timesOf(everything(t, s, query.Events{Limit: 97, Ascending: true}))
					assert.Equal(t, 5099, got[len(got)-1])
					assert.Greater(t, len(got), 1000)
					if name == "deleted" {
						assert.Empty(t, s.Status().Damaged)
					} else {
						aside := filepath.Base(path) + damagedSuffix
						assert.Equal(t, []string{aside}, s.Status().Damaged)
						require.NoError(t, os.RemoveAll(filepath.Join(directory, aside)))
						assert.Empty(t, s.Status().Damaged, "it was removed by hand")
					}
					assert.Equal(t, int64(0), s.Status().Lost[Failed])
				})
			}
		}
	}
}

// A disk of 8 MiB fills up: the oldest files are removed, and storing continues.
func TestDiskFull(t *testing.T) {
	directory := t.TempDir()
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, "size=8m"); err != nil {
		storetest.Missing(t, "a small disk cannot be mounted: "+err.Error())
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(directory, 0)) })
	s, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	const batches = 100
	for i := range batches {
		_ = s.Write(t.Context(), storetest.Logs(i*1000, 1000)) // what is not stored is counted
	}
	status := s.Status()
	assert.Equal(t, int64(batches*1000), status.Stored+status.Lost[DiskFull])
	assert.Zero(t, status.Lost[Failed])
	assert.Less(t, status.Lost[DiskFull], int64(10_000))
	assert.Empty(t, status.Damaged)
	got := timesOf(everything(t, s, query.Events{Limit: 1000, Ascending: true}))
	assert.Equal(t, batches*1000-1, got[len(got)-1], "storing went on")

	// Another file fills the disk, and is removed again.
	other := filepath.Join(directory, "other")
	_ = exec.Command("dd", "if=/dev/zero", "of="+other, "bs=64k").Run()
	for i := range 50 {
		_ = s.Write(t.Context(), storetest.Logs((batches+i)*1000, 1000))
	}
	require.NoError(t, os.Remove(other))
	write(t, s, storetest.Logs(1_000_000, 1000))
	assert.NoError(t, s.Status().Failure)
	page, err := s.Events(t.Context(), query.Events{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []int{1_000_999}, timesOf(page.Events))
}

// writeUntilKilled writes events, and their number to standard output when they are stored.
func writeUntilKilled(directory string) {
	s, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
	if err != nil {
		panic(err)
	}
	s.sliceBytes = 500_000
	for i := int(s.Status().Newest); ; i += 100 {
		if err := s.Write(context.Background(), storetest.Logs(i, 100)); err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString(strconv.Itoa(i+100) + "\n")
	}
}

func TestKill(t *testing.T) {
	directory := t.TempDir()
	stored, fastest := 0, time.Hour
	for range 10 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "EVENT_STORE_WRITE="+directory)
		var out strings.Builder
		cmd.Stdout = &out
		require.NoError(t, cmd.Start())
		time.Sleep(200 * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
		lines := strings.Fields(out.String())
		if len(lines) > 0 {
			var err error
			stored, err = strconv.Atoi(lines[len(lines)-1])
			require.NoError(t, err)
		}

		began := time.Now()
		s, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
		require.NoError(t, err)
		fastest = min(fastest, time.Since(began))
		assert.Empty(t, s.Status().Damaged)
		for i, number := range timesOf(everything(t, s, query.Events{Limit: 10_000, Ascending: true})) {
			require.Equal(t, i, number)
		}
		assert.GreaterOrEqual(t, s.Status().Newest, int64(stored), "all events that were reported as stored")
		require.NoError(t, s.Close())
		files, err := filepath.Glob(filepath.Join(directory, "*.db"))
		require.NoError(t, err)
		for _, file := range files {
			conn, err := open(file, sqlite.OpenReadWrite)
			require.NoError(t, err)
			result, err := sqlitex.ResultText(conn.Prep("PRAGMA integrity_check"))
			assert.NoError(t, err)
			assert.Equal(t, "ok", result)
			assert.NoError(t, conn.Close())
		}
	}
	assert.Positive(t, stored)
	assert.Less(t, fastest, time.Second)
}

// People can read the files with the sqlite3 tool, while events are stored and after a file is sealed.
func TestView(t *testing.T) {
	tool, err := exec.LookPath("sqlite3")
	if err != nil {
		storetest.Missing(t, err.Error())
	}
	s := openStore(t, Settings{})
	write(t, s, storetest.Logs(0, 100))
	one := s.all()[0]
	ask := func(question string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), tool, one.path, question).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	check := func() {
		t.Helper()
		assert.Equal(t, 20, strings.Count(ask("select time, body from events where executable='curl'"), "curl["))
		assert.Equal(t, "2026-11-27T06:00:00.135456789Z|postgres[1012] → 10.0.0.12:443 tcp\n2026-11-27T06:00:00.185456789Z|postgres[1062] → 10.0.2.62:443 tcp\n",
			ask("SELECT time, body FROM events WHERE executable = 'postgres' AND error = 'refused'"))
		assert.Equal(t, "ok\n", ask("PRAGMA integrity_check"))
	}
	check()
	write(t, s, storetest.Logs(106, 1)) // the tool does not lock out the writer
	w := s.writer
	s.writer = nil
	s.seal(w)
	s.settled()
	require.Nil(t, one.index)
	check()
	assert.Len(t, everything(t, s, query.Events{Limit: 1000}), 101)
	assert.Empty(t, s.Status().Damaged)
}
