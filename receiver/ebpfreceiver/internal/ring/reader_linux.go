// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Reader reads records in place, in the memory shared with the kernel (kernel/bpf/ringbuf.c). Only one goroutine may call
// Wait and Drain. Wake and Used are safe from any.
type Reader struct {
	consumer *uint64 // position up to which user space has read
	producer *uint64 // position up to which the kernel has reserved
	data     []byte  // mapped once: a second mapping would save one copy per lap, and count as resident memory
	size     uint64
	wrapped  []byte // a copy of a record that wraps around the end of data

	consumerPage []byte
	producerPage []byte
	epoll        int
	wake         int
}

// New returns a reader of a ring buffer map. The caller still has to close the map.
func New(m *ebpf.Map) (*Reader, error) {
	if m.Type() != ebpf.RingBuf {
		return nil, fmt.Errorf("map of type %s is not a ring buffer", m.Type())
	}
	r := &Reader{size: uint64(m.MaxEntries()), epoll: -1, wake: -1}
	if err := r.open(m.FD()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) open(fd int) (err error) {
	page := os.Getpagesize()
	if r.consumerPage, err = unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map the ring buffer's consumer page: %w", err)
	}
	if r.producerPage, err = unix.Mmap(fd, int64(page), page+int(r.size), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map the ring buffer's %d bytes: %w", r.size, err)
	}
	r.consumer = (*uint64)(unsafe.Pointer(&r.consumerPage[0]))
	r.producer = (*uint64)(unsafe.Pointer(&r.producerPage[0]))
	r.data = r.producerPage[page:]
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	if r.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("create eventfd: %w", err)
	}
	// Edge-triggered: wait for a wake-up of the kernel, not for the ring to be non-empty.
	for fd, events := range map[int]uint32{fd: unix.EPOLLIN | unix.EPOLLET, r.wake: unix.EPOLLIN} {
		if err = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
			return fmt.Errorf("add to epoll: %w", err)
		}
	}
	return nil
}

// Wait blocks until the kernel wakes the reader, Wake is called, or the timeout is over. A negative timeout means no
// timeout. The kernel wakes the reader for the first record after a complete drain, and for a record whose writer forces
// it. Other records arrive without a wake-up.
func (r *Reader) Wait(timeout time.Duration) error {
	ms := -1
	if timeout >= 0 {
		ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	var events [2]unix.EpollEvent
	n, err := unix.EpollWait(r.epoll, events[:], ms)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for records: %w", err)
	}
	for i := range max(n, 0) {
		if int(events[i].Fd) == r.wake {
			var count [8]byte
			_, _ = unix.Read(r.wake, count[:])
		}
	}
	return nil
}

// Wake makes the current or next Wait return.
func (r *Reader) Wake() error {
	one := [8]byte{1}
	if _, err := unix.Write(r.wake, one[:]); err != nil {
		return fmt.Errorf("wake the reader: %w", err)
	}
	return nil
}

// Drain passes up to limit records to f, in the order of the ring, and frees their space. The bytes are in the ring
// itself, aligned to 8, and valid only within f. It returns the number of records.
func (r *Reader) Drain(limit int, f func(record []byte)) int {
	position := atomic.LoadUint64(r.consumer)
	freed := position
	n := 0
	for n < limit {
		length, ok := r.next(position)
		if !ok {
			// The kernel wakes us for a record at the consumer position. Publish the position first, then check again. The check
			// must not be reordered before the store: a swap is a full barrier, a store is not where the race detector replaces
			// sync/atomic.
			if freed == position {
				break
			}
			atomic.SwapUint64(r.consumer, position)
			freed = position
			continue
		}
		size := length &^ (unix.BPF_RINGBUF_BUSY_BIT | unix.BPF_RINGBUF_DISCARD_BIT)
		if length&unix.BPF_RINGBUF_DISCARD_BIT == 0 {
			f(r.record(position+unix.BPF_RINGBUF_HDR_SZ, uint64(size)))
			n++
		}
		position += (unix.BPF_RINGBUF_HDR_SZ + uint64(size) + 7) &^ 7
	}
	if freed != position {
		atomic.StoreUint64(r.consumer, position)
	}
	return n
}

// next returns the length word of the record at a position, if the record is complete.
func (r *Reader) next(position uint64) (length uint32, ok bool) {
	if position == atomic.LoadUint64(r.producer) {
		return 0, false
	}
	length = atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[position&(r.size-1)])))
	return length, length&unix.BPF_RINGBUF_BUSY_BIT == 0
}

// record returns the bytes of a record, in place unless it wraps around the end of the ring.
func (r *Reader) record(position, size uint64) []byte {
	start := position & (r.size - 1)
	if start+size <= r.size {
		return r.data[start : start+size]
	}
	r.wrapped = append(append(r.wrapped[:0], r.data[start:]...), r.data[:start+size-r.size]...)
	return r.wrapped
}

// Used returns how much of the ring is in use, from 0 to 1.
func (r *Reader) Used() float64 {
	return float64(atomic.LoadUint64(r.producer)-atomic.LoadUint64(r.consumer)) / float64(r.size)
}

// Close releases the memory and descriptors. No other method may run at the same time or afterwards, except Close.
func (r *Reader) Close() error {
	var errs []error
	for _, page := range []*[]byte{&r.consumerPage, &r.producerPage} {
		if *page != nil {
			errs = append(errs, unix.Munmap(*page))
			*page = nil
		}
	}
	for _, fd := range []*int{&r.epoll, &r.wake} {
		if *fd >= 0 {
			errs = append(errs, unix.Close(*fd))
			*fd = -1
		}
	}
	return errors.Join(errs...)
}
