// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// Events are stored while a file waits for its index.
func TestWritesDoNotWaitForIndexes(t *testing.T) {
	s := small(openStore(t, Settings{}))
	s.sealing <- struct{}{} // as if a file were being sealed all the time
	count := 0
	for ; len(s.all()) < maxUnsealed; count += 200 {
		write(t, s, storetest.Logs(count, 200))
	}
	assert.Len(t, everything(t, s, query.Events{Limit: 1000}), count)
	<-s.sealing
	s.settled()
	assert.Len(t, everything(t, s, query.Events{Limit: 1000}), count)
}

// The next file is created before it is needed, and the following events are stored in it.
func TestNextFileIsPrepared(t *testing.T) {
	s := small(openStore(t, Settings{}))
	count := 0
	for ; s.next == nil; count += 100 {
		write(t, s, storetest.Logs(count, 100))
	}
	<-s.next.done
	require.NotNil(t, s.next.writer)
	next := s.next.writer.path
	for ; s.writer == nil || s.writer.path != next; count += 100 {
		require.Less(t, count, 2000)
		write(t, s, storetest.Logs(count, 100))
	}
	assert.Len(t, s.all(), 2)

	// If somebody deletes it, another one is made.
	for ; s.next == nil; count += 100 {
		write(t, s, storetest.Logs(count, 100))
	}
	<-s.next.done
	require.NoError(t, os.Remove(s.next.writer.path))
	for ; len(s.all()) < 3; count += 100 {
		require.Less(t, count, 3000)
		write(t, s, storetest.Logs(count, 100))
	}
	s.settled()
	assert.Len(t, everything(t, s, query.Events{Limit: 1000}), count)
	assert.Empty(t, s.Status().Damaged)
}

// A file without events is removed: at the end of the process, or by the next process if this one is killed.
func TestUnusedFileIsRemoved(t *testing.T) {
	directory := t.TempDir()
	files := func() []string {
		list, err := filepath.Glob(filepath.Join(directory, "events-*"))
		require.NoError(t, err)
		return list
	}
	killed, err := create(directory, 1, storetest.Start)
	require.NoError(t, err)
	defer killed.close()
	require.NotEmpty(t, files())
	s, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
	require.NoError(t, err)
	assert.Empty(t, files())
	assert.Empty(t, s.Status().Damaged)
	small(s)
	for i := 0; s.next == nil; i += 100 {
		write(t, s, storetest.Logs(i, 100))
	}
	path := s.writer.path
	require.NoError(t, s.Close())
	assert.Equal(t, []string{path}, files())
}

// While the writer writes, one CPU is left to it.
func TestTurns(t *testing.T) {
	turns := newTurns()
	turns.most = 1
	turns.take()
	turns.take() // nobody writes
	end := turns.write()
	taken := make(chan struct{})
	go func() {
		turns.take()
		close(taken)
	}()
	turns.give()
	select {
	case <-taken:
		t.Error("two turns beside the writer")
	case <-time.After(10 * time.Millisecond):
	}
	turns.give()
	<-taken
	go turns.next() // the one that waits has its turn, or this one continues
	end()
	turns.take()
}
