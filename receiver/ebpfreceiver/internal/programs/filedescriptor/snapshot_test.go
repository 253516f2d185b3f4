// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const (
	file   = int(bpf.FileDescriptorKindKIND_FILE)
	socket = int(bpf.FileDescriptorKindKIND_SOCKET)
	pipe   = int(bpf.FileDescriptorKindKIND_PIPE)
)

// ignore is for a snapshot whose complete processes are not checked.
func ignore(*fdCounts) {}

// table returns the descriptors of a process's first thread.
func table(pid uint32, open map[int]uint32) *bpf.FileDescriptorTable {
	t := &bpf.FileDescriptorTable{Start: uint64(pid) * 10, Thread: pid}
	t.Owner.Pid = pid
	for kind, n := range open {
		t.Open[kind] = n
	}
	return t
}

// ofThread returns the descriptors of another thread of it.
func ofThread(pid, thread uint32, open map[int]uint32) *bpf.FileDescriptorTable {
	t := table(pid, open)
	t.Thread = thread
	return t
}

// counted returns the counts of each process in the snapshot.
func counted(c *snapshot) map[uint32]map[int]uint32 {
	got := map[uint32]map[int]uint32{}
	for _, h := range c.top {
		got[h.pid] = map[int]uint32{}
		for kind, n := range h.open {
			if n > 0 {
				got[h.pid][kind] = n
			}
		}
	}
	return got
}

func TestSnapshotKeepsThoseThatHaveMost(t *testing.T) {
	const limit, processes = 10, 1000
	counts := map[uint32]uint64{}
	c := newSnapshot(limit, nil, func(h *fdCounts) { counts[h.pid] += h.total() })
	order := rand.Perm(processes)
	var rest uint64
	for _, i := range order {
		c.add(table(uint32(i)+1, map[int]uint32{file: 2, socket: uint32(i)}))
		if i < processes-limit {
			rest += uint64(i)
		}
		require.Less(t, len(c.top), 2*limit)
	}
	assert.Empty(t, c.finish())
	require.Len(t, c.top, limit)
	for i, h := range c.top {
		assert.Equal(t, uint32(processes-i), h.pid, "in order")
		assert.Equal(t, uint64(processes-i-1+2), h.total())
	}
	require.Len(t, counts, processes, "each process is checked, whatever its count")
	for pid, total := range counts {
		assert.Equal(t, uint64(pid-1+2), total)
	}
	assert.Equal(t, rest, c.other[socket])
	assert.Equal(t, uint64(2*(processes-limit)), c.other[file])
	assert.Equal(t, 2*limit, cap(c.top), "it does not grow")
}

func TestSnapshotOfFew(t *testing.T) {
	c := newSnapshot(10, nil, ignore)
	assert.Empty(t, c.finish())
	assert.Empty(t, c.top)
	c = newSnapshot(1, nil, ignore)
	c.add(table(7, map[int]uint32{file: 1}))
	c.finish()
	assert.Equal(t, map[uint32]map[int]uint32{7: {file: 1}}, counted(c))
	assert.Zero(t, c.other)
}

// Counts of a process with several tables are complete, in any order of the tables, and with any number of other
// processes.
func TestSnapshotOfUnsharedTables(t *testing.T) {
	all := []*bpf.FileDescriptorTable{
		table(1, map[int]uint32{file: 1}), ofThread(1, 11, map[int]uint32{file: 10, pipe: 2}),
		table(2, map[int]uint32{file: 5}), table(3, map[int]uint32{file: 6}), table(4, map[int]uint32{file: 7}),
		ofThread(1, 12, map[int]uint32{pipe: 3}),
		ofThread(5, 13, map[int]uint32{socket: 20}), ofThread(5, 14, map[int]uint32{socket: 1}), // its first thread has ended
	}
	want := map[uint32]map[int]uint32{5: {socket: 21}, 1: {file: 11, pipe: 5}}
	for range 50 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var unshared map[process]bool
		for i := range 3 {
			counts := map[uint32][]uint64{}
			c := newSnapshot(2, unshared, func(h *fdCounts) { counts[h.pid] = append(counts[h.pid], h.total()) })
			var total uint64
			for _, part := range all {
				c.add(part)
			}
			unshared = c.finish()
			assert.Equal(t, map[process]bool{{1, 10}: true, {5, 50}: true}, unshared)
			for _, h := range c.top {
				total += h.total()
			}
			for _, n := range c.other {
				total += n
			}
			assert.Equal(t, uint64(55), total, "nothing is lost")
			if i > 0 {
				assert.Equal(t, want, counted(c), "from the second time on")
				assert.Equal(t, map[uint32][]uint64{1: {16}, 2: {5}, 3: {6}, 4: {7}, 5: {21}}, counts)
			}
		}
	}
	// A process may share its table again, or end.
	c := newSnapshot(2, map[process]bool{{1, 10}: true, {5, 50}: true}, ignore)
	c.add(table(1, map[int]uint32{file: 1}))
	assert.Empty(t, c.finish())
	assert.Equal(t, map[uint32]map[int]uint32{1: {file: 1}}, counted(c))
}

func TestSnapshotBoundsUnsharedTables(t *testing.T) {
	c := newSnapshot(2, nil, ignore)
	for i := range uint32(2 * maxUnshared) {
		c.add(ofThread(i+1, 1<<20, map[int]uint32{file: 1}))
	}
	assert.Len(t, c.finish(), maxUnshared)
	assert.Equal(t, uint64(2*maxUnshared), c.other[file], "without series of their own until they are known to be unshared")
}

func TestReadTables(t *testing.T) {
	var stream bytes.Buffer
	for pid := range uint32(1000) {
		stream.Write(programtest.Bytes(table(pid+1, map[int]uint32{file: pid})))
	}
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(stream.Bytes()), "in pieces": iotest.OneByteReader(bytes.NewReader(stream.Bytes())),
	} {
		next := uint32(0)
		require.NoError(t, readTables(r, func(table *bpf.FileDescriptorTable) {
			assert.Equal(t, next, table.Open[file], name)
			next++
		}))
		assert.Equal(t, uint32(1000), next)
	}
	nothing := func(*bpf.FileDescriptorTable) {}
	require.ErrorIs(t, readTables(bytes.NewReader(stream.Bytes()[:200]), nothing), io.ErrUnexpectedEOF)
	broken := errors.New("broken")
	require.ErrorIs(t, readTables(iotest.ErrReader(broken), nothing), broken)
}

func FuzzReadTables(f *testing.F) {
	seed := programtest.Bytes(table(7, map[int]uint32{file: 3, socket: 1 << 31}))
	f.Add(seed)
	f.Add(append(slices.Clone(seed), seed[:20]...))
	f.Add(append(slices.Clone(seed), programtest.Bytes(ofThread(7, 8, map[int]uint32{pipe: 1}))...))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := newSnapshot(2, nil, ignore)
		var want, got uint64
		n := 0
		err := readTables(bytes.NewReader(raw), func(table *bpf.FileDescriptorTable) {
			n++
			for _, open := range table.Open {
				want += uint64(open)
			}
			c.add(table)
		})
		if whole := len(raw) % len(seed); (err == nil) != (whole == 0) || n != len(raw)/len(seed) {
			t.Fatalf("%d tables of %d bytes: %v", n, len(raw), err)
		}
		c.finish()
		for _, h := range c.top {
			got += h.total()
		}
		for _, open := range c.other {
			got += open
		}
		// A process can't have 2^32 descriptors; two tables that say so wrap around.
		if want < 1<<32 && got != want {
			t.Fatalf("%d descriptors instead of %d", got, want)
		}
	})
}
