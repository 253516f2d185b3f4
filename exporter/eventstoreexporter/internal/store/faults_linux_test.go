// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"zombiezen.com/go/sqlite"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// disk mounts a disk of this size.
func disk(t *testing.T, options string) string {
	t.Helper()
	directory := t.TempDir()
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, options); err != nil {
		storetest.Missing(t, "a small disk cannot be mounted: "+err.Error())
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(directory, 0)) })
	return directory
}

// immutable forbids any change of a file or directory, also to root, or allows it again.
func immutable(t *testing.T, path string, on bool) {
	t.Helper()
	const getFlags, setFlags, flag = 0x80086601, 0x40086602, 0x10
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var flags int
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), getFlags, uintptr(unsafe.Pointer(&flags)))
	if errno == 0 {
		flags &^= flag
		if on {
			flags |= flag
		}
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), setFlags, uintptr(unsafe.Pointer(&flags)))
	}
	if errno != 0 {
		storetest.Missing(t, "files of this file system cannot be made immutable (tmpfs can be since Linux 6.6): "+errno.Error())
	}
}

// A file that can no longer be written is still read, and storing continues in another one.
func TestImmutableFile(t *testing.T) {
	s := small(openStore(t, Settings{Directory: disk(t, "size=32m")}))
	count := 0
	for ; count < 1000 || s.writer == nil; count += 20 {
		write(t, s, storetest.Logs(count, 20))
	}
	s.settled()
	path := s.writer.path
	setImmutable := func(to bool) {
		for _, suffix := range []string{"", "-wal"} {
			immutable(t, path+suffix, to)
		}
	}
	setImmutable(true)
	defer setImmutable(false)
	write(t, s, storetest.Logs(count, 200))
	s.settled()
	assert.Zero(t, s.Status().Lost[Failed])
	got := timesOf(everything(t, s, query.Events{Limit: 1000, Ascending: true}))
	require.Len(t, got, count+200)
	assert.Equal(t, count+199, got[count+199])
	assert.Empty(t, s.Status().Damaged)
}

// While no file can be created or removed, events without room are counted, and no stored event is lost.
func TestImmutableDirectory(t *testing.T) {
	directory := disk(t, "size=32m")
	s := small(openStore(t, Settings{Directory: directory}))
	write(t, s, storetest.Logs(0, 200))
	immutable(t, directory, true)
	defer immutable(t, directory, false)
	stored := 200
	for i := 1; i < 10; i++ {
		if err := s.Write(t.Context(), storetest.Logs(i*200, 200)); err == nil {
			stored += 200
		}
	}
	s.settled()
	status := s.Status()
	assert.Error(t, status.Failure)
	assert.Positive(t, status.Lost[Failed])
	assert.Equal(t, int64(2000), status.Stored+status.Lost[Failed])
	assert.Len(t, everything(t, s, query.Events{Limit: 1000}), stored)
	immutable(t, directory, false)
	write(t, s, storetest.Logs(5000, 200))
	assert.NoError(t, s.Status().Failure)
	assert.Len(t, everything(t, s, query.Events{Limit: 1000}), stored+200)
}

// A disk that cannot be written to is an error at the start.
func TestReadOnlyDisk(t *testing.T) {
	directory := disk(t, "size=8m,ro")
	_, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
	assert.ErrorIs(t, err, syscall.EROFS)
	assert.ErrorContains(t, err, directory)
}

// The unfinished files of a killed process are removed.
func TestRemainsOfOtherRuns(t *testing.T) {
	directory := t.TempDir()
	for _, name := range []string{"export-123.db", "events-20260101T000000Z-1.db.new", "events-20260101T000000Z-1.db.new-wal"} {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte("x"), 0o600))
	}
	s := openStore(t, Settings{Directory: directory})
	write(t, s, storetest.Logs(0, 10))
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	for _, entry := range entries {
		assert.True(t, entry.Name() == "lock" || strings.HasPrefix(entry.Name(), "events-2026") && !strings.Contains(entry.Name(), newSuffix), entry.Name())
	}
}

// A disk without room for any file of SQLite is reported as full, not as damaged.
func TestDiskWithoutAnyRoom(t *testing.T) {
	directory := disk(t, "size=24m")
	s := openStore(t, Settings{Directory: directory})
	s.sliceBytes = 1 // a file for each batch, so that files are made and sealed on the full disk too
	for i := range 300 {
		_ = s.Write(t.Context(), storetest.Logs(i*200, 200)) // what is not stored is counted
	}
	s.settled()
	status := s.Status()
	assert.Zero(t, status.Lost[Failed])
	assert.Empty(t, status.Damaged)
	assert.Equal(t, int64(60_000), status.Stored+status.Lost[DiskFull])
	assert.Positive(t, status.Evicted)
	got := timesOf(everything(t, s, query.Events{Limit: 1000, Ascending: true}))
	assert.Len(t, got, int(status.Stored-status.Evicted))
	assert.Equal(t, 59_999, got[len(got)-1])
}

// Without free descriptors a query fails, and no file is set aside as damaged.
func TestNoDescriptors(t *testing.T) {
	s := small(openStore(t, Settings{}))
	for i := range 10 {
		write(t, s, storetest.Logs(i*200, 200))
	}
	s.settled()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	few := syscall.Rlimit{Cur: 100, Max: limit.Max}
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	defer func() { assert.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }()
	var taken []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		taken = append(taken, file)
	}
	_, err := s.Events(t.Context(), query.Events{Limit: 10_000})
	assert.Error(t, err)
	_ = s.Write(t.Context(), storetest.Logs(2000, 200)) // what is not stored is counted
	for _, file := range taken {
		assert.NoError(t, file.Close())
	}
	assert.Empty(t, s.Status().Damaged)
	write(t, s, storetest.Logs(3000, 200))
	assert.Len(t, everything(t, s, query.Events{Limit: 10_000}), int(s.Status().Stored))
}

// rests waits until nothing is done in the background.
func (s *Store) rests() {
	s.settled()
	if s.next != nil {
		<-s.next.done
	}
}

// Whoever removes all files, or the directory, gets an empty store that goes on, and that nobody else can open.
func TestDirectoryIsRemoved(t *testing.T) {
	for name, remove := range map[string]func(directory string) error{
		"directory": os.RemoveAll,
		"files": func(directory string) error {
			entries, err := os.ReadDir(directory)
			for _, entry := range entries {
				err = errors.Join(err, os.Remove(filepath.Join(directory, entry.Name())))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			directory := filepath.Join(t.TempDir(), "events")
			s := small(openStore(t, Settings{Directory: directory}))
			for i := range 10 {
				write(t, s, storetest.Logs(i*200, 200))
			}
			s.rests()
			require.NoError(t, remove(directory))
			write(t, s, storetest.Logs(5000, 200))
			write(t, s, storetest.Logs(5200, 200))
			s.settled()
			got := timesOf(everything(t, s, query.Events{Limit: 1000, Ascending: true}))
			require.Len(t, got, 400)
			assert.Equal(t, 5000, got[0])
			status := s.Status()
			assert.Zero(t, status.Lost[Failed])
			assert.Empty(t, status.Damaged)
			assert.NoError(t, status.Failure)
			_, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
			assert.ErrorContains(t, err, "is locked by the process "+strconv.Itoa(os.Getpid()))
		})
	}
}

// A directory has one exporter, whatever it is called.
func TestSymbolicLink(t *testing.T) {
	directory := t.TempDir()
	openStore(t, Settings{Directory: directory})
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(directory, link))
	_, err := Open(Settings{Directory: link, MaxSize: 1 << 30, Logger: zap.NewNop()})
	assert.ErrorContains(t, err, "a directory belongs to one exporter")
}

// A directory that was copied while events came in has what was stored when each file was copied.
func TestCopiedDirectory(t *testing.T) {
	directory, copied := t.TempDir(), filepath.Join(t.TempDir(), "copied")
	s := small(openStore(t, Settings{Directory: directory}))
	for i := range 10 {
		write(t, s, storetest.Logs(i*200, 200))
	}
	s.rests()
	require.NoError(t, os.CopyFS(copied, os.DirFS(directory)))
	write(t, s, storetest.Logs(2000, 200))
	of := small(openStore(t, Settings{Directory: copied}))
	write(t, of, storetest.Logs(7000, 200))
	of.settled()
	got := timesOf(everything(t, of, query.Events{Limit: 1000, Ascending: true}))
	require.Len(t, got, 2200)
	assert.Equal(t, []int{1999, 7000}, got[1999:2001])
	assert.Empty(t, of.Status().Damaged)
}

// A file of another version is left as it is, beside the others, and does not count as damaged. It goes when room is needed.
func TestOtherVersion(t *testing.T) {
	directory := t.TempDir()
	s, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
	require.NoError(t, err)
	write(t, s, storetest.Logs(0, 200))
	path := s.writer.path
	require.NoError(t, s.Close())
	conn, err := open(path, sqlite.OpenReadWrite)
	require.NoError(t, err)
	require.NoError(t, errors.Join(run(conn, fmt.Sprintf("PRAGMA user_version = %d", version-1)), conn.Close()))

	s = openStore(t, Settings{Directory: directory})
	assert.FileExists(t, path+versionSuffix)
	assert.Empty(t, s.Status().Damaged)
	write(t, s, storetest.Logs(5000, 200))
	assert.Len(t, everything(t, s, query.Events{Limit: 1000}), 200)
	assert.True(t, s.removeDamaged())
	assert.NoFileExists(t, path+versionSuffix)
}
