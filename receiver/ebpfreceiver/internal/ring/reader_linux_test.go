// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"encoding/binary"
	"math"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

// all is a limit that no ring in these tests reaches.
const all = math.MaxInt

func newReader(t testing.TB, f *feeder) *Reader {
	t.Helper()
	r, err := New(f.ring)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// drain returns copies of up to limit records.
func drain(t testing.TB, r *Reader, limit int) (records [][]byte) {
	t.Helper()
	n := r.Drain(limit, func(record []byte) {
		assert.Zero(t, uintptr(unsafe.Pointer(unsafe.SliceData(record)))%8, "records are aligned to 8 bytes")
		records = append(records, slices.Clone(record))
	})
	require.Len(t, records, n)
	return records
}

func TestReaderReadsRecords(t *testing.T) {
	f := newFeeder(t, uint32(os.Getpagesize()))
	r := newReader(t, f)
	assert.Empty(t, drain(t, r, all), "an empty ring")

	var want [][]byte
	for _, size := range []uint64{24, 1, 8, 255, 0, 100} {
		in := record{Value: 0x0102030405060708 + size, Size: size}
		require.True(t, f.put(t, in))
		want = append(want, append([]byte{}, in.bytes()...))
	}
	assert.Equal(t, want, drain(t, r, all))
	assert.Empty(t, drain(t, r, all), "records are read once")
}

// Records of all sizes wrap around the end of the ring, many times.
func TestReaderWrapsAround(t *testing.T) {
	f := newFeeder(t, uint32(os.Getpagesize()))
	r := newReader(t, f)
	written := 0
	for i := range uint64(600) {
		in := record{Value: i * 0x0101010101010101, Size: 8 + i*7%248}
		require.True(t, f.put(t, in))
		written += int(in.Size)
		require.Equal(t, [][]byte{in.bytes()}, drain(t, r, all), "record %d", i)
	}
	require.Greater(t, written, 10*os.Getpagesize())
}

func TestReaderLimit(t *testing.T) {
	f := newFeeder(t, uint32(os.Getpagesize()))
	r := newReader(t, f)
	for i := range uint64(5) {
		require.True(t, f.put(t, record{Value: i, Size: 8}))
	}
	value := func(record []byte) uint64 { return binary.NativeEndian.Uint64(record) }
	var got []uint64
	for _, tt := range []struct{ limit, want int }{{0, 0}, {-1, 0}, {2, 2}, {1, 1}, {9, 2}, {9, 0}} {
		records := drain(t, r, tt.limit)
		assert.Len(t, records, tt.want, "limit %d", tt.limit)
		for _, record := range records {
			got = append(got, value(record))
		}
	}
	assert.Equal(t, []uint64{0, 1, 2, 3, 4}, got, "a limit neither loses nor repeats records")
}

func TestReaderSkipsDiscardedRecords(t *testing.T) {
	f := newFeeder(t, uint32(os.Getpagesize()))
	r := newReader(t, f)
	for i := range uint64(3) {
		require.True(t, f.skip(t))
		require.True(t, f.put(t, record{Value: i, Size: 8}))
	}
	require.True(t, f.skip(t))
	assert.Len(t, drain(t, r, 2), 2, "discarded records do not count towards the limit")
	assert.Len(t, drain(t, r, all), 1)
	assert.Zero(t, r.Used(), "the space of discarded records is freed")

	require.True(t, f.skip(t))
	assert.Empty(t, drain(t, r, all))
	assert.Zero(t, r.Used())
}

// A record that is reserved but not submitted blocks the records after it.
func TestReaderStopsAtABusyRecord(t *testing.T) {
	const header = unix.BPF_RINGBUF_HDR_SZ
	var consumer, producer uint64
	words := make([]uint64, 64)
	data := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words))
	r := &Reader{consumer: &consumer, producer: &producer, data: data, size: uint64(len(data)) / 2}
	length := func(at int) *uint32 { return (*uint32)(unsafe.Pointer(&data[at])) }
	*length(0) = 8
	*length(header + 8) = 8 | unix.BPF_RINGBUF_BUSY_BIT
	*length(2 * (header + 8)) = 8
	producer = 3 * (header + 8)

	assert.Len(t, drain(t, r, all), 1)
	assert.Empty(t, drain(t, r, all))
	*length(header + 8) = 8
	assert.Len(t, drain(t, r, all), 2)
	assert.Equal(t, producer, consumer)
}

func TestReaderFullRing(t *testing.T) {
	size := os.Getpagesize()
	f := newFeeder(t, uint32(size))
	r := newReader(t, f)
	assert.Zero(t, r.Used())
	in := record{Value: 1, Size: 248} // 256 bytes with its header
	written := 0
	for f.put(t, in) {
		written++
		assert.InDelta(t, float64(written*256)/float64(size), r.Used(), 1e-9)
		require.LessOrEqual(t, written, size/256)
	}
	require.GreaterOrEqual(t, written, size/256-1)
	assert.False(t, f.put(t, in), "a full ring stays full")

	assert.Len(t, drain(t, r, 1), 1)
	assert.True(t, f.put(t, in), "reading frees space")
	assert.Len(t, drain(t, r, all), written)
	assert.Zero(t, r.Used())
}

func TestReaderWaitsForRecords(t *testing.T) {
	f := newFeeder(t, uint32(os.Getpagesize()))
	r := newReader(t, f)

	assertWaits(t, r, 30*time.Millisecond, 30*time.Millisecond)
	assertWaits(t, r, time.Nanosecond, time.Millisecond/2) // must not be a busy loop
	began := time.Now()
	require.NoError(t, r.Wait(0))
	assert.Less(t, time.Since(began), 10*time.Second)

	// One record that is already there, and one that arrives.
	require.True(t, f.put(t, record{Size: 8}))
	require.NoError(t, r.Wait(-1))
	require.Len(t, drain(t, r, all), 1)
	var group sync.WaitGroup
	group.Go(func() {
		time.Sleep(20 * time.Millisecond)
		f.put(t, record{Size: 8})
	})
	// The wake-up for the first record may come late, when nothing is left to read.
	var came int
	for came == 0 {
		require.NoError(t, r.Wait(-1))
		came = len(drain(t, r, all))
	}
	assert.Equal(t, 1, came)
	group.Wait()
}

func TestReaderWake(t *testing.T) {
	f := newFeeder(t, uint32(os.Getpagesize()))
	r := newReader(t, f)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		assert.NoError(t, r.Wait(-1))
	}()
	time.Sleep(10 * time.Millisecond)
	require.NoError(t, r.Wake())
	<-returned

	// Wake twice before Wait: the first Wait returns, the second one waits.
	require.NoError(t, r.Wake())
	require.NoError(t, r.Wake())
	require.NoError(t, r.Wait(-1))
	assertWaits(t, r, 20*time.Millisecond, 20*time.Millisecond)
}

// assertWaits checks that a Wait without records lasts for the timeout. A signal, such as one from Go's scheduler, may end
// one of them early.
func assertWaits(t testing.TB, r *Reader, timeout, want time.Duration) {
	t.Helper()
	for range 50 {
		began := time.Now()
		require.NoError(t, r.Wait(timeout))
		if time.Since(began) >= want {
			return
		}
	}
	assert.Fail(t, "does not wait", "for %s, given %s", want, timeout)
}

// With the kernel's adaptive notification, a reader that checks for records at the wrong moment could sleep forever.
func TestReaderLosesNoWakeUp(t *testing.T) {
	const (
		writers = 2
		each    = 15_000
		forever = 10 * time.Second
	)
	f := newFeeder(t, uint32(os.Getpagesize()))
	r := newReader(t, f)
	var group sync.WaitGroup
	for w := range uint64(writers) {
		group.Go(func() {
			for i := uint64(0); i < each && !t.Failed(); {
				if f.put(t, record{Value: w<<32 | i, Size: 8}) {
					i++
				}
			}
		})
	}
	var next [writers]uint64
	for received := 0; received < writers*each; {
		began := time.Now()
		require.NoError(t, r.Wait(forever))
		if time.Since(began) >= forever {
			assert.Fail(t, "a wake-up was lost", "%d of %d records received", received, writers*each)
			break
		}
		received += r.Drain(all, func(record []byte) {
			value := binary.NativeEndian.Uint64(record)
			if w := value >> 32; assert.Equal(t, next[w], value&math.MaxUint32) {
				next[w]++
			}
		})
	}
	group.Wait()
}

func TestReaderClose(t *testing.T) {
	f := newFeeder(t, uint32(os.Getpagesize()))
	before := openFiles(t)
	r, err := New(f.ring)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	assert.Equal(t, before, openFiles(t))
	assert.True(t, f.put(t, record{Size: 8}), "the reader must not close the map")
}

func TestReaderOfAnotherMap(t *testing.T) {
	kerneltest.Require(t)
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	require.NoError(t, err)
	defer m.Close()
	before := openFiles(t)
	_, err = New(m)
	require.EqualError(t, err, "map of type Array is not a ring buffer")
	assert.Equal(t, before, openFiles(t))
}

// Creating a reader of a closed map is an error, and leaves nothing open.
func TestReaderOfAClosedMap(t *testing.T) {
	f := newFeeder(t, uint32(os.Getpagesize()))
	require.NoError(t, f.ring.Close())
	before := openFiles(t)
	_, err := New(f.ring)
	require.ErrorContains(t, err, "map the ring buffer's consumer page")
	assert.Equal(t, before, openFiles(t))
}

func openFiles(t testing.TB) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(files)
}
