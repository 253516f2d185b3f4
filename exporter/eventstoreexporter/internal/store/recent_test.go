// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/problems"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

func keys(t *testing.T, names ...string) (list []query.Key) {
	t.Helper()
	for _, name := range names {
		key, ok := query.ByName(name)
		require.True(t, ok, name)
		list = append(list, key)
	}
	return list
}

// compareRecent compares remembered counts with new ones, at a time and for several windows.
func compareRecent(t *testing.T, s *Store, now time.Time) {
	t.Helper()
	connect := []query.Type{{Text: "ebpf.connection.connect"}}
	for _, q := range []query.Count{
		{By: keys(t, "type")},
		{Filter: query.Filter{Severity: plog.SeverityNumberWarn}, By: keys(t, "type", "command", "error", "reason")},
		{Filter: query.Filter{Types: connect}, By: keys(t, "command", "attr.ebpf.connection.role")},
		{Filter: query.Filter{Fields: map[event.Field]any{event.Executable: "curl"}}, By: keys(t, "port")},
	} {
		for _, window := range []time.Duration{10 * time.Second, time.Minute, time.Hour} {
			q.Until = now
			q.Since = now.Add(-window).Truncate(query.Part)
			for range 2 { // the window and the one before it
				q.Recent = false
				want, err := s.Count(t.Context(), q)
				require.NoError(t, err)
				q.Recent = true
				got, err := s.Count(t.Context(), q)
				require.NoError(t, err)
				for _, groups := range [][]query.Group{want, got} {
					slices.SortFunc(groups, func(a, b query.Group) int { return cmp.Compare(fmt.Sprint(a.Values), fmt.Sprint(b.Values)) })
				}
				assert.Equal(t, want, got, "%v from %v to %v", q.By, q.Since, q.Until)
				q.Since, q.Until = q.Since.Add(-window), q.Since
			}
		}
	}
}

// Remembered counts equal new ones while events arrive, in time and late, and old files are removed.
func TestRecentCounts(t *testing.T) {
	now := storetest.Start
	s := small(openStore(t, Settings{MaxSize: 500_000, Now: func() time.Time { return now }}))
	compareRecent(t, s, now)
	for _, events := range []struct{ from, count int }{
		{0, 2000}, {2000, 10}, {2010, 0}, {30_000, 3000}, {5000, 500}, {33_000, 1}, {3_600_000, 3000}, {7_500_000, 2000}, {40_000, 100}, {11_000_000, 2000},
	} {
		write(t, s, storetest.Logs(events.from, events.count))
		if at := storetest.Start.Add(time.Duration(events.from+events.count) * time.Millisecond); at.After(now) {
			now = at
		}
		s.settled()
		compareRecent(t, s, now)
	}
	assert.Positive(t, s.Status().Evicted)
	for _, r := range s.recent {
		assert.Equal(t, s.Status().Newest, r.seen)
		assert.LessOrEqual(t, r.size, 200)
	}
}

// The same while the clock of the host is set back and forth.
func TestRecentCountsAfterClockSteps(t *testing.T) {
	now := storetest.Start.Add(48 * time.Hour).Truncate(query.Part)
	s := small(openStore(t, Settings{Now: func() time.Time { return now }}))
	for _, step := range []time.Duration{0, -time.Hour, 25 * time.Hour, -24 * time.Hour, time.Minute, -time.Minute} {
		now = now.Add(step)
		write(t, s, storetest.Logs(int(now.Sub(storetest.Start).Milliseconds()), 1000))
		now = now.Add(query.Part)
		s.settled()
		compareRecent(t, s, now)
	}
}

// A warning of a file that grows is counted once, however often it is asked.
func TestRecentWarningsAreCountedOnce(t *testing.T) {
	now := storetest.Start
	s := openStore(t, Settings{Now: func() time.Time { return now }})
	for i := range 10 {
		write(t, s, storetest.Logs(i*1000, 1000))
		now = storetest.Start.Add(time.Duration(i+1) * time.Second)
		compareRecent(t, s, now)
	}
	require.Len(t, s.all(), 1)
}

// counting is a store that remembers nothing.
type counting struct{ query.Store }

func (c counting) Count(ctx context.Context, q query.Count) ([]query.Group, error) {
	q.Recent = false
	return c.Store.Count(ctx, q)
}

// Problems are the same from the first query, from remembered counts and from new counts, while events arrive and files are sealed. No
// event is missing or counted twice.
func TestProblemsWhileEventsComeIn(t *testing.T) {
	const batches, window = 60, 20 * time.Second
	var stored atomic.Int64 // milliseconds since the first event
	s := openStore(t, Settings{Now: func() time.Time { return storetest.Start.Add(time.Duration(stored.Load()) * time.Millisecond) }})
	s.sliceBytes = 500_000
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range batches {
			assert.NoError(t, s.Write(context.Background(), storetest.Logs(i*1000, 1000)))
			stored.Add(1000)
		}
	})
	compared := 0
	for until := storetest.Start.Truncate(query.Part).Add(query.Part); !until.After(storetest.Start.Add(batches * time.Second).Truncate(query.Part)); {
		if s.settings.Now().Before(until) {
			time.Sleep(time.Millisecond)
			continue
		}
		since := until.Add(-window)
		first, err := problems.Find(t.Context(), s, since, until)
		require.NoError(t, err)
		again, err := problems.Find(t.Context(), s, since, until)
		require.NoError(t, err)
		anew, err := problems.Find(t.Context(), counting{s}, since, until)
		require.NoError(t, err)
		require.Equal(t, anew, first)
		require.Equal(t, anew, again)
		got, want := map[string]int64{}, map[string]int64{}
		for i := range anew {
			got[anew[i].Kind] += anew[i].Count
			got[anew[i].Kind+" before"] += anew[i].Before
		}
		for i := range batches * 1000 {
			var kind string
			at := storetest.Start.Add(time.Duration(i) * time.Millisecond)
			switch {
			case at.Before(since.Add(-window)) || !at.Before(until):
				continue
			case i%20 == 19:
				kind = "packet_drop"
			case i%50 == 12:
				kind = "connection_failed"
			default:
				continue
			}
			if at.Before(since) {
				kind += " before"
			}
			want[kind]++
		}
		for kind, count := range want {
			assert.Equal(t, count, got[kind], kind)
		}
		compared++
		until = until.Add(query.Part)
	}
	writer.Wait()
	assert.Greater(t, compared, 4)
	assert.Greater(t, len(s.all()), 4)
}

// A repeated query counts only the events that have arrived since.
func TestRecentCountsAreRemembered(t *testing.T) {
	now := storetest.Start.Add(time.Minute)
	s := openStore(t, Settings{Now: func() time.Time { return now }})
	write(t, s, storetest.Logs(0, 20_000))
	q := query.Count{
		Filter: query.Filter{Since: storetest.Start.Truncate(query.Part), Until: now}, By: keys(t, "type"), Recent: true,
	}
	_, err := s.Count(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, s.recent, 1)
	for _, r := range s.recent {
		counted := 0
		r.groups.count = func(group *query.Group, at, sequence int64) {
			counted++
			r.add(group, at, sequence)
		}
		write(t, s, storetest.Logs(20_000, 30))
		groups, err := s.Count(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, 30, counted)
		total := int64(0)
		for _, group := range groups {
			total += group.Count
		}
		assert.Equal(t, int64(20_030), total)
	}
}

// A query that is not remembered for lack of room is counted in the ordinary way.
func TestRecentCountsAreBounded(t *testing.T) {
	now := storetest.Start.Add(time.Minute)
	s := openStore(t, Settings{Now: func() time.Time { return now }})
	write(t, s, storetest.Logs(0, 2*maxRecentParts*2+100))
	q := query.Count{Filter: query.Filter{Since: storetest.Start.Truncate(query.Part), Until: now.Add(time.Hour)}, By: keys(t, "attr.ebpf.socket.cookie"), Recent: true}
	for range 2 {
		groups, err := s.Count(t.Context(), q)
		require.NoError(t, err)
		assert.Greater(t, len(groups), maxRecentParts)
	}
	for i := range maxRecentQuestions + 10 {
		q.Filter.Fields = map[event.Field]any{event.PID: int64(1000 + i)}
		groups, err := s.Count(t.Context(), q)
		require.NoError(t, err)
		assert.NotEmpty(t, groups)
	}
	assert.Len(t, s.recent, maxRecentQuestions)
}
