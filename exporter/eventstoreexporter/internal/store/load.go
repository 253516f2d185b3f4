// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

var errVersion = errors.New("the file has tables of another version")

// errUnused is the error for a file that never had an event.
var errUnused = errors.New("the file has no events")

// load opens the file of a slice from an earlier run. It returns a writer if the file is not sealed.
func load(path string) (*slice, *writer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	conn, err := open(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, nil, err
	}
	s, err := readSlice(conn, path)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	s.began, s.ended = info.ModTime(), info.ModTime()
	s.measure()
	if s.index == nil {
		s.digest, _ = readDigest(path, s.first) // without it, questions take longer
		return s, nil, conn.Close()
	}
	w, err := newWriter(s, conn)
	if err != nil {
		return nil, nil, err
	}
	if err := w.reload(); err != nil {
		return nil, nil, errors.Join(err, w.close())
	}
	return s, w, nil
}

func readSlice(conn *sqlite.Conn, path string) (*slice, error) {
	s := &slice{path: path}
	var found, sealed int64
	if err := integers(conn, "PRAGMA user_version", &found); err != nil {
		return nil, err
	}
	if found != version {
		return nil, errVersion
	}
	err := integers(conn, "SELECT sealed, first, records, earliest, latest FROM slice", &sealed, &s.first, &s.records, &s.earliest, &s.latest)
	if err != nil {
		return nil, err
	}
	if s.first == 0 {
		return nil, errUnused
	}
	if sealed == 0 {
		s.records = 0
		s.index, s.tables = newIndex(s.first), newTables()
	}
	return s, nil
}

// reload fills the tables and the index in memory from the file.
func (w *writer) reload() error {
	e := w.encoder
	rows := func(query string, row func(id int64, text []byte) error) error {
		next := int64(0)
		return sqlitex.ExecuteTransient(w.conn, query, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
			next++
			if id := stmt.ColumnInt64(0); id != next {
				return fmt.Errorf("row %d is missing in %q", next, query)
			}
			text := make([]byte, stmt.ColumnLen(1))
			stmt.ColumnBytes(1, text)
			return row(next, text)
		}})
	}
	err := rows("SELECT id, text FROM strings ORDER BY id", func(_ int64, text []byte) error {
		w.tables.addString(string(text))
		return nil
	})
	if err != nil {
		return err
	}
	err = rows("SELECT id, attributes FROM shapes ORDER BY id", func(id int64, text []byte) error {
		s, err := parseShape(id, text, e.counters)
		if err != nil {
			return err
		}
		w.tables.addShape(s)
		e.shapes[string(text)] = s
		return nil
	})
	if err != nil {
		return err
	}
	err = rows("SELECT id, otlp FROM origins ORDER BY id", func(id int64, otlp []byte) error {
		o, err := readOrigin(otlp)
		if err != nil {
			return err
		}
		w.tables.addOrigin(o)
		e.origins[string(otlp)] = id
		return nil
	})
	if err != nil {
		return err
	}
	return w.reindex()
}

// reindex reads all records. It also finds out whether the file is complete.
func (w *writer) reindex() error {
	stmt, _, err := w.conn.PrepareTransient("SELECT " + selection + " FROM records ORDER BY sequence")
	if err != nil {
		return err
	}
	var r record
	for {
		found, err := stmt.Step()
		if err != nil || !found {
			return errors.Join(err, stmt.Finalize())
		}
		r.read(stmt)
		if r.sequence != w.first+w.records {
			return errors.Join(fmt.Errorf("record %d is missing", w.first+w.records), stmt.Finalize())
		}
		s, err := w.tables.shape(r.values[columnShape])
		if err != nil {
			return errors.Join(err, stmt.Finalize())
		}
		w.index.add(&r, s, w.tables)
		at := r.values[columnTime]
		if w.records == 0 {
			w.earliest, w.latest = at, at
		}
		w.earliest, w.latest = min(w.earliest, at), max(w.latest, at)
		w.records++
	}
}
