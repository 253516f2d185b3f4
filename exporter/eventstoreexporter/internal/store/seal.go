// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"os"
	"slices"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// seal writes the index to the file, which nobody writes to any longer, gives back the memory and closes the connection. After an
// error the connection stays open, because others may not find the room to open one, and it can be tried again.
func (w *writer) seal(t *turns, tallies map[int64][]byte) error {
	if !w.indexed {
		if err := w.writeIndex(t, tallies); err != nil {
			return err
		}
		w.indexed = true
	}
	if err := sqlitex.ExecuteTransient(w.conn, "PRAGMA wal_checkpoint(TRUNCATE)", nil); err != nil {
		return err
	}
	t.take()
	d, _ := w.writeDigest() // without it, questions take longer
	t.give()
	w.mu.Lock()
	w.index, w.tables, w.digest = nil, nil, d
	idle, gone := w.idle, w.gone
	w.idle, w.unsealed = nil, nil
	w.mu.Unlock()
	if gone { // it was deleted meanwhile
		_ = os.Remove(w.path + digestSuffix)
	}
	if idle != nil {
		idle.close()
	}
	err := w.conn.Close()
	w.measure()
	return err
}

func (w *writer) writeIndex(t *turns, tallies map[int64][]byte) (err error) {
	defer sqlitex.Save(w.conn)(&err)
	t.take()
	defer t.give()
	keys := make([]int64, 0, len(w.index.postings))
	for key := range w.index.postings {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i, key := range keys {
		if i%blockSize == 0 {
			t.next()
		}
		if err := run(w.conn, "INSERT INTO postings VALUES (?,?)", key, w.index.postings[key].bytes()); err != nil {
			return err
		}
	}
	t.next()
	head := w.index.rare.head()
	err = w.index.rare.rows(head, func(bucket int64, records []byte) error {
		if bucket%blockSize == 0 {
			t.next()
		}
		return run(w.conn, "INSERT INTO rare VALUES (?,?)", bucket, records)
	})
	if err != nil {
		return err
	}
	for id, data := range map[int64][]byte{
		listOfTimes: appendBlocks(nil, w.index.blocks), listOfFilters: w.index.blooms, listOfRare: head.bytes(),
	} {
		if err := run(w.conn, "INSERT INTO lists VALUES (?,?)", id, data); err != nil {
			return err
		}
	}
	for key, groups := range tallies {
		if err := run(w.conn, "INSERT INTO tallies VALUES (?,?)", key, groups); err != nil {
			return err
		}
	}
	t.next()
	if err := run(w.conn, "CREATE INDEX strings_by_text ON strings (text)"); err != nil {
		return err
	}
	return run(w.conn, "UPDATE slice SET sealed = 1, records = ?, earliest = ?, latest = ?", w.records, w.earliest, w.latest)
}

func run(conn *sqlite.Conn, query string, args ...any) error {
	return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args})
}
