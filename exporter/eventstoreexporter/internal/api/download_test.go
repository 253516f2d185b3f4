// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// rows returns what a database has in its view events, with all columns.
func rows(t *testing.T, path, where string) (names []string, list []map[string]any) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	require.NoError(t, err)
	defer conn.Close()
	whole, err := sqlitex.ResultText(conn.Prep("PRAGMA integrity_check"))
	require.NoError(t, err)
	assert.Equal(t, "ok", whole)
	require.NoError(t, sqlitex.ExecuteTransient(conn, "SELECT * FROM events "+where, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		row := map[string]any{}
		names = names[:0]
		for i := range stmt.ColumnCount() {
			name := stmt.ColumnName(i)
			names = append(names, name)
			switch stmt.ColumnType(i) {
			case sqlite.TypeInteger:
				row[name] = stmt.ColumnInt64(i)
			case sqlite.TypeText:
				row[name] = stmt.ColumnText(i)
			case sqlite.TypeNull:
				row[name] = nil
			default:
				t.Errorf("column %s has another type", name)
			}
		}
		list = append(list, row)
		return nil
	}}))
	return names, list
}

func download(t *testing.T, s *server, path string) string {
	t.Helper()
	w := s.get(path)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	assert.Equal(t, "application/vnd.sqlite3", w.Header().Get("Content-Type"))
	assert.Equal(t, `attachment; filename="events.db"`, w.Header().Get("Content-Disposition"))
	file := filepath.Join(t.TempDir(), "events.db")
	require.NoError(t, os.WriteFile(file, w.Body.Bytes(), 0o600))
	return file
}

// A download has the columns and values of the store's own files, and the events of the JSON answer.
func TestDownload(t *testing.T) {
	s := start(t)
	s.fill(t)
	own, err := filepath.Glob(filepath.Join(s.directory, "events-*.db"))
	require.NoError(t, err)
	require.Len(t, own, 1)
	names, want := rows(t, own[0], "WHERE type = 'ebpf.packet.drop' AND time >= '2026-11-27T06:00:01' AND time < '2026-11-27T06:00:03' ORDER BY sequence")
	require.Len(t, want, 100)
	const ask = "/api/events?type=packet_drop&since=2026-11-27T06:00:01Z&until=2026-11-27T06:00:03Z&limit=1000"
	columns, got := rows(t, download(t, s, ask+"&format=sqlite"), "ORDER BY sequence")
	assert.Equal(t, append(names, "attributes"), columns)
	attributes := map[int64]string{}
	for _, e := range decode[Events](t, s.get(ask)).Events {
		attributes[e.Sequence] = string(e.Attributes)
	}
	require.Len(t, got, len(want))
	for i := range got {
		sequence, _ := want[i]["sequence"].(int64)
		want[i]["attributes"] = attributes[sequence]
		require.Equal(t, want[i], got[i])
	}

	_, none := rows(t, download(t, s, "/api/events?format=sqlite&command=nobody"), "")
	assert.Empty(t, none)
	w := s.get("/api/events?format=sqlite&limit=10")
	assert.Contains(t, w.Header().Get("Link"), `rel="next"`, "a page as in all forms")
	_, ten := rows(t, download(t, s, "/api/events?format=sqlite&limit=10"), "")
	assert.Len(t, ten, 10)
	s.noExport(t)
}

func (s *server) noExport(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(s.directory, "export-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// A download leaves no file, whether its client disconnects before, during or after it.
func TestDownloadWithoutClient(t *testing.T) {
	s := start(t)
	s.fill(t)
	for _, wait := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 200 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/events?format=sqlite&limit=10000", http.NoBody)
		require.NoError(t, err)
		if response, err := http.DefaultClient.Do(r); err == nil {
			_, _ = response.Body.Read(make([]byte, 10))
			_ = response.Body.Close()
		}
		cancel()
	}
	assert.Eventually(t, func() bool {
		left, err := filepath.Glob(filepath.Join(s.directory, "export-*"))
		return err == nil && len(left) == 0
	}, 10*time.Second, 20*time.Millisecond)
	assert.Equal(t, http.StatusOK, s.get("/health").Code)
}

// Any text of an event is the same text in the database.
func TestDownloadOfAnyText(t *testing.T) {
	s := start(t)
	const name = "'); DROP TABLE records; --\x00\xff\n"
	require.NoError(t, s.Write(t.Context(), oneEvent(name)))
	_, got := rows(t, download(t, s, "/api/events?format=sqlite"), "")
	require.Len(t, got, 1)
	text, _ := got[0]["executable"].(string)
	assert.Equal(t, strings.TrimSuffix(name, "\n"), strings.TrimSuffix(text, "\n"))
	var attributes map[string]any
	raw, _ := got[0]["attributes"].(string)
	assert.NoError(t, json.Unmarshal([]byte(raw), &attributes))
}
