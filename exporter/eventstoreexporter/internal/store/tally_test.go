// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/problems"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// After a start, problems in any window are found without reading events: sealed files have tallies.
func TestTallies(t *testing.T) {
	now := storetest.Start
	settings := Settings{Directory: t.TempDir(), MaxSize: 1 << 30, Logger: zap.NewNop(), Now: func() time.Time { return now }}
	s, err := Open(settings)
	require.NoError(t, err)
	small(s)
	find := func(store query.Store, window time.Duration) []problems.Problem {
		list, err := problems.Find(t.Context(), store, now.Add(-window).Truncate(query.Part), now)
		require.NoError(t, err)
		return list
	}
	find(s, problems.Window)
	for i := range 12 { // a minute of events each hour, and some that are late
		for part := range 3 {
			write(t, s, storetest.Logs(i*3_600_000+part*200, 200))
			write(t, s, storetest.Logs(i*1_800_000+part*200, 100))
		}
		now = storetest.Start.Add(time.Duration(i)*time.Hour + time.Minute)
		s.settled()
	}
	windows := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 24 * time.Hour}
	want := map[time.Duration][]problems.Problem{}
	for _, window := range windows {
		want[window] = find(counting{s}, window)
		assert.NotEmpty(t, want[window])
		assert.Equal(t, want[window], find(s, window), window)
	}
	files := s.all()
	require.Greater(t, len(files), 6)
	require.NoError(t, s.Close())
	emptied := 0
	for _, one := range files {
		if one.index != nil {
			continue
		}
		conn, err := sqlite.OpenConn(one.path, sqlite.OpenReadWrite)
		require.NoError(t, err)
		require.NoError(t, sqlitex.ExecuteTransient(conn, "DELETE FROM records", nil))
		require.NoError(t, conn.Close())
		emptied++
	}
	require.Greater(t, emptied, 6)
	for _, window := range windows {
		s := openStore(t, settings) // so that each window is the first query
		assert.Equal(t, want[window], find(s, window), window)
		require.NoError(t, s.Close())
	}
}

// A tally that cannot be decoded is an error.
func TestDamagedTally(t *testing.T) {
	c := newCounts(&query.Count{By: keys(t, "type", "pid")})
	c.part = func(*query.Group, int64, *query.Group) {}
	for _, text := range [][]byte{{9}, {2, 200}, {0, 0, 200}, {0, 1}, {0, 1, 4, 1, 2}} {
		assert.Error(t, c.decode(text, 1), "%v", text)
	}
}
