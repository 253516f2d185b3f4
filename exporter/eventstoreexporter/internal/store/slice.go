// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// slice is one file with the events of some time, in the order of their arrival.
type slice struct {
	path  string
	first int64

	mu sync.Mutex
	// records is the number of committed records. The times are those of committed records.
	records          int64
	earliest, latest int64
	// index and tables are in memory until the file is sealed.
	index  *index
	tables *tables
	// digest is set when the slice is sealed, if it could be written.
	digest *digest
	bytes  int64
	// gone is set when the file is no longer part of the store.
	gone bool
	idle *reader
	// unsealed is the writer of a slice that is full but could not be sealed.
	unsealed *writer
	// began and ended are the arrival times of the first and the last event.
	began, ended time.Time
}

// span returns the times and number of the committed records.
func (s *slice) span() (earliest, latest, records int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.earliest, s.latest, s.records
}

func (s *slice) extend(r, earliest, latest int64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == 0 {
		s.earliest, s.latest = earliest, latest
	}
	s.records += r
	s.earliest, s.latest = min(s.earliest, earliest), max(s.latest, latest)
	s.ended = now
}

// measure returns how much disk space the file takes, including its log, shared memory and digest.
func (s *slice) measure() int64 {
	var bytes int64
	for _, suffix := range suffixes {
		if info, err := os.Stat(s.path + suffix); err == nil {
			bytes += info.Size()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes = bytes
	return bytes
}

func (s *slice) size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// suffixes are those of the files that SQLite keeps, and of the digest.
var suffixes = [...]string{"", "-wal", "-shm", digestSuffix}

// leave closes the idle reader. Readers in use are closed at the end of their query.
func (s *slice) leave() {
	s.mu.Lock()
	idle, unsealed := s.idle, s.unsealed
	s.gone, s.idle, s.unsealed = true, nil, nil
	s.mu.Unlock()
	if idle != nil {
		idle.close()
	}
	if unsealed != nil {
		_ = unsealed.close() // what was written is in the file
	}
}

// remove deletes the file. Queries that are reading it continue.
func (s *slice) remove() error {
	s.leave()
	var errs []error
	for _, suffix := range suffixes {
		if err := os.Remove(s.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// open opens a connection to a file. It disables automatic checkpoints, so that none delays an insertion.
func open(path string, flags sqlite.OpenFlags) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(time.Second)
	for _, pragma := range []string{"wal_autocheckpoint=0", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-1024"} {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+pragma, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// openImmutable opens a sealed file without a log. SQLite then creates no other file beside it, which could fail for lack of space
// or permission.
func openImmutable(path string) (*sqlite.Conn, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	uri := url.URL{Scheme: "file", Path: path, RawQuery: "immutable=1"}
	conn, err := sqlite.OpenConn(uri.String(), sqlite.OpenReadOnly|sqlite.OpenURI)
	if err != nil {
		return nil, err
	}
	return conn, sqlitex.ExecuteTransient(conn, "PRAGMA cache_size=-128", nil)
}

// integers runs a query whose result are integers.
func integers(conn *sqlite.Conn, query string, to ...*int64) error {
	found := false
	err := sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		found = true
		for i := range to {
			*to[i] = stmt.ColumnInt64(i)
		}
		return nil
	}})
	if err == nil && !found {
		err = fmt.Errorf("%q has no result", query)
	}
	return err
}

// close closes the idle reader, if there is one.
func (s *slice) close() {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	if idle != nil {
		idle.close()
	}
}
