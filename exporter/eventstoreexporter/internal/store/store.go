// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package store keeps events in SQLite files of a directory. A file has the events of some time, and retention removes files.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Settings are the settings of a Store.
type Settings struct {
	Directory string
	// MaxSize bounds the bytes of the files, without the one that is being written.
	MaxSize int64
	// MaxAge is the maximum time since the arrival of the last event of a file. 0 means no limit.
	MaxAge time.Duration
	Logger *zap.Logger
	// Now is the clock, nil for time.Now.
	Now func() time.Time
}

// Causes of loss.
const (
	DiskFull = "disk_full"
	Failed   = "error"
)

// The size of a slice is a part of MaxSize or of the disk, within bounds. The upper bounds limit the memory of an index.
const (
	slicesPerStore  = 32
	minSliceBytes   = 1 << 20
	maxSliceBytes   = 16 << 20
	maxSliceRecords = 100_000
	checkpointBytes = 4 << 20
	// maxUnsealed is the maximum number of full slices that wait for their index.
	maxUnsealed = 3
)

// Store keeps events. It implements query.Store.
type Store struct {
	settings Settings
	lock     *os.File
	// sliceBytes is the size of a full slice.
	sliceBytes int64

	// writing is held during a write.
	writing sync.Mutex
	writer  *writer
	// unread are the paths of files that could not be read again after a failed write, although they are not damaged.
	unread []string
	// next is the next file. It is nil until the current one is nearly full.
	next *preparation
	// unsealed has an element for each full file without an index, sealing one while an index is being written.
	unsealed, sealing chan struct{}
	// checkpointing has an element while a checkpoint runs.
	checkpointing chan struct{}
	background    sync.WaitGroup
	stop          chan struct{}
	turns         *turns

	mu sync.Mutex
	// slices are in the order of their sequence numbers.
	slices  []*slice
	newest  int64
	stored  int64
	evicted int64
	lost    map[string]int64
	// aside are the names of files that cannot be read and were renamed.
	aside   []string
	failure error
	changed chan struct{}
	// rested are the slices that may have an idle reader, the last read one at the end.
	rested []*slice
	closed bool

	// forgotten is the number of files that were removed from slices, and forgottenUntil the time of their latest event.
	forgotten, forgottenUntil int64

	recentMu sync.Mutex
	// recent are the remembered counts of recent events, by query.
	recent map[string]*recent
}

var _ query.Store = (*Store)(nil)

// Open opens the store in a directory and creates the directory if necessary. It fails if another process uses the store.
func Open(settings Settings) (*Store, error) {
	if settings.Now == nil {
		settings.Now = time.Now
	}
	if err := os.MkdirAll(settings.Directory, 0o750); err != nil {
		return nil, err
	}
	lock, err := acquire(filepath.Join(settings.Directory, "lock"))
	if err != nil {
		return nil, err
	}
	s := &Store{
		settings: settings, lock: lock, turns: newTurns(),
		sliceBytes: min(settings.MaxSize/slicesPerStore, maxSliceBytes),
		unsealed:   make(chan struct{}, maxUnsealed), sealing: make(chan struct{}, 1),
		checkpointing: make(chan struct{}, 1), stop: make(chan struct{}),
		lost: map[string]int64{DiskFull: 0, Failed: 0}, changed: make(chan struct{}),
	}
	if total, _, ok := diskSize(settings.Directory); ok {
		s.sliceBytes = min(s.sliceBytes, total/slicesPerStore)
	}
	s.sliceBytes = max(s.sliceBytes, min(minSliceBytes, settings.MaxSize/4))
	removeExports(settings.Directory)
	if err := s.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.background.Go(s.expire)
	return s, nil
}

// load finds the files of earlier runs. Writing continues in the newest one, unless it is full.
func (s *Store) load() error {
	entries, err := os.ReadDir(s.settings.Directory)
	if err != nil {
		return err
	}
	var open []*writer
	for _, entry := range entries {
		name := entry.Name()
		if isSetAside(name) {
			s.aside = append(s.aside, name)
		}
		if strings.HasPrefix(name, "events-") && strings.HasSuffix(name, newSuffix) {
			removeNew(filepath.Join(s.settings.Directory, name))
		}
		if !strings.HasPrefix(name, "events-") || !strings.HasSuffix(name, ".db") {
			continue
		}
		path := filepath.Join(s.settings.Directory, name)
		found, w, err := load(path)
		if errors.Is(err, errUnused) {
			removeUnused(path)
			continue
		}
		if err != nil {
			if s.isFull(err) {
				return fmt.Errorf("open %s: %w", path, err)
			}
			s.setAside(path, err)
			continue
		}
		s.slices = append(s.slices, found)
		if w != nil {
			open = append(open, w)
		}
	}
	slices.SortFunc(s.slices, bySequence)
	for _, one := range s.slices {
		s.newest = max(s.newest, one.first+one.records-1)
	}
	for _, w := range open {
		if w.slice == s.slices[len(s.slices)-1] {
			s.writer = w
		} else {
			s.seal(w)
		}
	}
	return nil
}

// Write stores a batch. Events that it cannot store are counted, and the error is permanent: the caller must not retry.
func (s *Store) Write(_ context.Context, logs plog.Logs) error {
	count := int64(logs.LogRecordCount())
	if count == 0 {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	defer s.turns.write()()
	err := s.write(logs)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
	switch {
	case err == nil:
		s.stored += count
		s.newest += count
		close(s.changed)
		s.changed = make(chan struct{})
	case s.isFull(err):
		s.lost[DiskFull] += count
	default:
		s.lost[Failed] += count
	}
	return err
}

// attempts is the maximum number of attempts of a write. Each is made after removing a slice or with a new file.
const attempts = 8

func (s *Store) write(logs plog.Logs) error {
	for attempt := 1; ; attempt++ {
		err := s.try(logs)
		if err == nil {
			s.afterWrite()
			return nil
		}
		again := attempt < attempts && s.recover(err)
		if !again {
			return err
		}
	}
}

func (s *Store) try(logs plog.Logs) error {
	now := s.settings.Now()
	if s.writer == nil {
		if err := s.begin(now); err != nil {
			return err
		}
	}
	return s.writer.write(logs, now)
}

// begin begins a slice.
func (s *Store) begin(now time.Time) error {
	s.mu.Lock()
	first, closed := s.newest+1, s.closed
	s.mu.Unlock()
	if closed {
		return errors.New("the store is closed")
	}
	if err := s.keepDirectory(); err != nil {
		return err
	}
	s.readAgain()
	w := s.prepared()
	if w == nil {
		var err error
		if w, err = create(s.settings.Directory, first, now); err != nil {
			return err
		}
	}
	w.begin(first, now)
	s.writer = w
	s.mu.Lock()
	s.slices = append(s.slices, w.slice)
	s.mu.Unlock()
	return nil
}

// readAgain adds the files that could not be read.
func (s *Store) readAgain() {
	s.unread = slices.DeleteFunc(s.unread, func(path string) bool {
		loaded, w, err := load(path)
		if err != nil {
			return false
		}
		s.mu.Lock()
		at, _ := slices.BinarySearchFunc(s.slices, loaded, bySequence)
		s.slices = slices.Insert(s.slices, at, loaded)
		s.mu.Unlock()
		if w != nil {
			s.seal(w)
		}
		return true
	})
}

func bySequence(a, b *slice) int { return cmp.Compare(a.first, b.first) }

// keepDirectory makes the directory again, and locks it, if somebody has removed it or the lock. Without the lock, another process
// could use the directory as well.
func (s *Store) keepDirectory() error {
	path := filepath.Join(s.settings.Directory, "lock")
	held, err := s.lock.Stat()
	if err != nil {
		return err
	}
	if found, err := os.Stat(path); err == nil && os.SameFile(found, held) {
		return nil
	}
	if err := os.MkdirAll(s.settings.Directory, 0o750); err != nil {
		return err
	}
	lock, err := acquire(path)
	if err != nil {
		return err
	}
	s.settings.Logger.Warn("Somebody removed the directory of events, or what was in it; it is used again", zap.String("directory", s.settings.Directory))
	_ = s.lock.Close() // nobody can open it any more
	s.lock = lock
	return nil
}

// recover makes room, or begins a new file, after a failed write. It reports whether to try again.
func (s *Store) recover(failure error) bool {
	w := s.writer
	if w == nil { // not even a new file could be made
		return s.isFull(failure) && s.dropOldest()
	}
	s.writer = nil
	s.forget(w.slice)
	w.leave()
	if err := w.close(); err != nil {
		s.settings.Logger.Debug("Error of a file that was closed after a failed write", zap.Error(err))
	}
	if _, _, records := w.span(); records == 0 {
		_ = w.remove() // it has nothing; the cause is the batch or the disk
		return errors.Is(failure, errReplaced) || s.isFull(failure) && s.dropOldest()
	}
	// The transaction is rolled back. Memory still has its rows, so it is read again from the file.
	loaded, again, err := load(w.path)
	if err != nil && !errors.Is(failure, errReplaced) && !isDamage(w.path, err) {
		s.settings.Logger.Warn("A file of events cannot be read at the moment; its events are missing in all answers",
			zap.String("file", w.path), zap.Error(err))
		s.unread = append(s.unread, w.path)
		return !s.isFull(failure) || s.dropOldest()
	}
	if err != nil || errors.Is(failure, errReplaced) {
		if again != nil {
			err = again.close()
		}
		s.setAsideLocked(w.path, errors.Join(failure, err))
		return !s.isFull(failure) || s.dropOldest()
	}
	loaded.began = w.began
	s.mu.Lock()
	s.slices = append(s.slices, loaded)
	s.mu.Unlock()
	if s.isFull(failure) {
		s.writer = again
		return s.dropOldest()
	}
	s.settings.Logger.Warn("Cannot write to a file of events; it can still be read, and a new one is begun",
		zap.String("file", w.path), zap.Error(failure))
	if again != nil {
		s.seal(again)
	}
	return true
}

// afterWrite begins another slice if this one is full, and removes slices above the limit. The next file is created in the background.
// The writer waits for it only if the current one grows much too large.
func (s *Store) afterWrite() {
	w := s.writer
	bytes := w.measure()
	_, _, records := w.span()
	isFilled := func(part float64) bool {
		return float64(bytes) >= part*float64(s.sliceBytes) || float64(records) >= part*maxSliceRecords
	}
	isFull := isFilled(1) || s.isOld(w.slice)
	if isFull || isFilled(0.75) {
		s.prepare()
	}
	if isFull && s.next.isReady() || isFilled(1.25) {
		s.writer = nil
		s.seal(w)
	} else if info, err := os.Stat(w.path + "-wal"); err == nil && info.Size() > checkpointBytes {
		s.checkpoint(w.slice)
	}
	s.retain()
}

// isOld reports whether a slice that fills slowly must end so that MaxAge can be observed.
func (s *Store) isOld(one *slice) bool {
	return s.settings.MaxAge > 0 && s.age(one, &one.began) > s.settings.MaxAge/slicesPerStore
}

// age is the time since a time of a slice. A time in the future means that the clock was set back; it counts as now.
func (s *Store) age(one *slice, at *time.Time) time.Duration {
	now := s.settings.Now()
	one.mu.Lock()
	defer one.mu.Unlock()
	if at.After(now) {
		*at = now
	}
	return now.Sub(*at)
}

// Changed returns a channel that is closed by the next write.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Status describes the store.
func (s *Store) Status() query.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := query.Status{Newest: s.newest, Stored: s.stored, Evicted: s.evicted, Lost: maps.Clone(s.lost), Failure: s.failure}
	s.aside = slices.DeleteFunc(s.aside, func(name string) bool { // somebody has examined and removed it
		_, err := os.Lstat(filepath.Join(s.settings.Directory, name))
		return errors.Is(err, os.ErrNotExist)
	})
	for _, name := range s.aside {
		if !strings.HasSuffix(name, versionSuffix) {
			status.Damaged = append(status.Damaged, name)
		}
	}
	for _, one := range s.slices {
		earliest, _, records := one.span()
		if records > 0 && (status.Oldest == 0 || earliest < status.Oldest) {
			status.Oldest = earliest
		}
		status.Bytes += one.size()
	}
	return status
}

// Close closes the store. All events that were written are on disk.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	all := s.slices
	s.slices = nil
	s.mu.Unlock()
	close(s.stop)
	s.background.Wait()
	for _, one := range all {
		one.leave()
	}
	var err error
	if s.writer != nil {
		err = s.writer.close()
		s.writer = nil
	}
	if w := s.prepared(); w != nil {
		err = errors.Join(err, w.close(), w.remove())
	}
	return errors.Join(err, s.lock.Close())
}

// all returns all slices.
func (s *Store) all() []*slice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.slices)
}

// maxRested bounds the memory and descriptors of idle readers: some 100 KiB each. Opening one takes half a millisecond,
// which would be most of the time of a query that reads all files.
const maxRested = 64

// rest returns a reader that is no longer in use.
func (s *Store) rest(r *reader) {
	r.release()
	s.mu.Lock()
	s.rested = append(slices.DeleteFunc(s.rested, func(one *slice) bool { return one == r.slice }), r.slice)
	var over *slice
	if len(s.rested) > maxRested {
		over = s.rested[0]
		s.rested = slices.Delete(s.rested, 0, 1)
	}
	s.mu.Unlock()
	if over != nil {
		over.close()
	}
}
