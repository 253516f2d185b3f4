// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// seal seals a slice in the background, after those that could not be sealed before. Slices are sealed one after the other. The
// writer waits only if several are not sealed yet, which bounds their memory.
func (s *Store) seal(w *writer) {
	s.unsealed <- struct{}{}
	s.background.Go(func() {
		s.sealing <- struct{}{}
		defer func() {
			<-s.sealing
			<-s.unsealed
		}()
		s.sealNow(w)
		for _, one := range s.all() {
			one.mu.Lock()
			again := one.unsealed
			one.unsealed = nil
			one.mu.Unlock()
			if again != nil && again != w {
				s.sealNow(again)
			} else if again != nil {
				s.keep(again)
			}
		}
	})
}

func (s *Store) sealNow(w *writer) {
	var tallies map[int64][]byte
	if !w.indexed {
		tallies = s.tallies(w.slice)
	}
	if err := w.seal(s.turns, tallies); err != nil {
		// The file can be read without its index as long as this process runs.
		s.settings.Logger.Warn("Cannot write the index of a file of events; it is retried", zap.String("file", w.path), zap.Error(err))
		s.keep(w)
	}
}

// keep keeps a writer whose slice could not be sealed until the next one is.
func (s *Store) keep(w *writer) {
	w.mu.Lock()
	gone := w.gone
	if !gone {
		w.unsealed = w
	}
	w.mu.Unlock()
	if gone {
		_ = w.close() // its file is gone as well
	}
}

// checkpoint moves written data from the log of SQLite to its file. It runs in the background and the writer does not wait for it.
func (s *Store) checkpoint(one *slice) {
	select {
	case s.checkpointing <- struct{}{}:
	default:
		return
	}
	s.background.Go(func() {
		defer func() { <-s.checkpointing }()
		conn, err := open(one.path, sqlite.OpenReadWrite)
		if err == nil {
			err = sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(PASSIVE)", nil)
			_ = conn.Close() // the writer has one open: nothing is left to do
		}
		if err != nil {
			s.settings.Logger.Debug("Cannot write a checkpoint", zap.String("file", one.path), zap.Error(err))
		}
	})
}

// retain removes the oldest slices until the others are within the limit. It never removes the one that is being written.
func (s *Store) retain() {
	for _, one := range s.all() {
		if s.writer != nil && one == s.writer.slice {
			return
		}
		tooOld := s.settings.MaxAge > 0 && s.age(one, &one.ended) > s.settings.MaxAge
		if !tooOld && s.bytes() <= s.settings.MaxSize {
			return
		}
		if s.removeDamaged() {
			continue
		}
		s.evict(one)
		s.background.Go(func() { s.remove(one) })
	}
}

// bytes returns how much disk space the files take, including those that were set aside.
func (s *Store) bytes() int64 {
	var sum int64
	for _, one := range s.all() {
		sum += one.size()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.aside {
		if info, err := os.Stat(filepath.Join(s.settings.Directory, name)); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// dropOldest removes the oldest slice because the disk is full. It reports whether there was one.
func (s *Store) dropOldest() bool {
	if s.removeDamaged() {
		return true
	}
	all := s.all()
	if len(all) == 0 || s.writer != nil && all[0] == s.writer.slice {
		return false
	}
	s.evict(all[0])
	s.remove(all[0])
	return true
}

// evict takes a slice out of the store.
func (s *Store) evict(one *slice) {
	_, _, records := one.span()
	s.forget(one)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evicted += records
}

// remove deletes the file of a slice.
func (s *Store) remove(one *slice) {
	if err := one.remove(); err != nil {
		s.settings.Logger.Warn("Cannot remove an old file of events", zap.String("file", one.path), zap.Error(err))
	}
}

// forget removes a slice from the list and reports whether it was there.
func (s *Store) forget(one *slice) bool {
	_, latest, _ := one.span()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten++
	s.forgottenUntil = max(s.forgottenUntil, latest)
	before := len(s.slices)
	s.slices = slices.DeleteFunc(s.slices, func(other *slice) bool { return other == one })
	s.rested = slices.DeleteFunc(s.rested, func(other *slice) bool { return other == one })
	return len(s.slices) < before
}

// Suffixes of files that are set aside.
const (
	damagedSuffix = ".damaged"
	versionSuffix = ".other-version"
)

func isSetAside(name string) bool {
	return strings.HasSuffix(name, damagedSuffix) || strings.HasSuffix(name, versionSuffix)
}

// abandon removes a damaged file from the store. The next read or write continues without it.
func (s *Store) abandon(one *slice, why error) {
	if !s.forget(one) {
		return // another query has
	}
	one.leave()
	s.setAsideLocked(one.path, why)
}

// setAsideLocked is setAside for a store that is in use.
func (s *Store) setAsideLocked(path string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setAside(path, why)
}

// setAside renames a damaged file, so that somebody can examine it. Its size still counts, and it is the first to be removed when
// space is needed.
func (s *Store) setAside(path string, why error) {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		s.settings.Logger.Warn("Somebody removed a file of events; its events are missing in all answers", zap.String("file", path))
		removeUnused(path)
		return
	}
	suffix := damagedSuffix
	if errors.Is(why, errVersion) {
		suffix = versionSuffix
		s.settings.Logger.Warn("A file of events that another version of this exporter has written was renamed; its events are missing in all answers",
			zap.String("file", path), zap.String("now", path+suffix))
	} else {
		s.settings.Logger.Error("A damaged file of events was renamed; its events are missing in all answers",
			zap.String("file", path), zap.String("now", path+suffix), zap.Error(why))
	}
	name := filepath.Base(path) + suffix
	for _, of := range suffixes {
		if of == "-shm" || of == digestSuffix {
			_ = os.Remove(path + of) // it has nothing of its own
			continue
		}
		if err := os.Rename(path+of, path+suffix+of); err != nil && !os.IsNotExist(err) {
			s.settings.Logger.Warn("Cannot rename a file of events", zap.String("file", path+of), zap.Error(err))
			if of == "" {
				name = filepath.Base(path)
			}
		}
	}
	if !slices.Contains(s.aside, name) {
		s.aside = append(s.aside, name)
	}
}

// removeDamaged removes the oldest file that was set aside. It reports whether there was one.
func (s *Store) removeDamaged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, name := range s.aside {
		path := filepath.Join(s.settings.Directory, name)
		err := os.Remove(path)
		_ = os.Remove(path + "-wal")
		if err == nil {
			s.settings.Logger.Warn("A file of events that was set aside was removed to make room", zap.String("file", path))
			s.aside = slices.Delete(s.aside, i, i+1)
			return true
		}
	}
	return false
}

// expire removes slices that are too old while no events come in.
func (s *Store) expire() {
	every := time.Minute
	if s.settings.MaxAge > 0 {
		every = min(every, max(s.settings.MaxAge/slicesPerStore, time.Second))
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		if !s.writing.TryLock() { // a write is running, which does this too, or the store is being closed
			continue
		}
		if s.writer != nil && s.isOld(s.writer.slice) {
			s.prepare()
			if s.next.isReady() {
				w := s.writer
				s.writer = nil
				s.seal(w)
			}
		}
		s.retain()
		s.writing.Unlock()
	}
}

// littleRoom is the free space below which an I/O error counts as a full disk. The memory that SQLite shares between connections is
// also a file, and SQLite reports a general I/O error if there is no space for it.
const littleRoom = 256 << 10

// isFull reports whether an error means that the disk is full.
func (s *Store) isFull(err error) bool {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull:
		return true
	case sqlite.ResultIOErr, sqlite.ResultCantOpen:
		_, free, ok := diskSize(s.settings.Directory)
		return ok && free < littleRoom
	default:
		return isNoSpace(err)
	}
}

// isDamage reports whether an error of a read means that the file is damaged.
func isDamage(path string, err error) bool {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultIOErr, sqlite.ResultSchema:
		return true
	case sqlite.ResultCantOpen: // or there are no descriptors, or there is no permission
		return !isDatabase(path)
	case sqlite.ResultError:
		return strings.Contains(err.Error(), "no such")
	default:
		return false
	}
}

// isDatabase reports whether the readable part of a file begins like an SQLite database.
func isDatabase(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return !os.IsNotExist(err)
	}
	defer file.Close()
	begin := make([]byte, 16)
	_, err = io.ReadFull(file, begin)
	return err == nil && string(begin) == "SQLite format 3\x00"
}
