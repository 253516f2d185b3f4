// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// absent is a page of memory that is missing until release is called (userfaultfd). The kernel waits when it writes to the page.
type absent struct {
	page []byte
	fd   int
}

// Of linux/userfaultfd.h.
const (
	uffdAPI       = 0xc018aa3f
	uffdRegister  = 0xc020aa00
	uffdZeroPage  = 0xc020aa04
	uffdVersion   = 0xaa
	uffdIfMissing = 1
)

func newAbsent(t *testing.T) *absent {
	t.Helper()
	a := &absent{}
	var err error
	a.page, err = unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Munmap(a.page) })
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
	if errno == unix.ENOSYS {
		testenv.Lacking(t, "userfaultfd")
	}
	require.Zero(t, errno, "userfaultfd")
	a.fd = int(fd)
	t.Cleanup(func() { _ = unix.Close(a.fd) })
	a.ask(t, uffdAPI, &[4]uint64{uffdVersion})
	a.ask(t, uffdRegister, &[4]uint64{a.address(), uint64(len(a.page)), uffdIfMissing})
	return a
}

func (a *absent) address() uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(a.page)))) }

func (a *absent) ask(t *testing.T, request uintptr, argument *[4]uint64) {
	t.Helper()
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(a.fd), request, uintptr(unsafe.Pointer(argument)))
	require.Zero(t, errno, "ioctl of a userfaultfd")
}

// await waits until the kernel waits for the page.
func (a *absent) await(t *testing.T) {
	t.Helper()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(a.fd), Events: unix.POLLIN}}, 10_000)
	require.NoError(t, err)
	require.Equal(t, 1, n, "the kernel needs the page")
}

func (a *absent) release(t *testing.T) {
	t.Helper()
	a.ask(t, uffdZeroPage, &[4]uint64{a.address(), uint64(len(a.page))})
}

// While a process reads, segments for its socket wait in the backlog. If one of them ends the connection, the following ones find a closed
// socket. They are lost, unless they repeat data that was received.
func TestPacketDropAtClosedSocket(t *testing.T) {
	testnet.Require(t)
	if !kernelSays().receiver {
		testenv.Lacking(t, "the receiving socket of a drop: it does not tell repeated data from new data")
	}
	r := testreceiver.Start(t, ownPacketDrop)
	left, right := testnet.NewPair(t)
	withoutTimestamps(t, left, right)
	w := openTap(t, left, right)
	w.accept(t)
	_, err := unix.Write(w.client, make([]byte, 500))
	require.NoError(t, err)
	_, err = unix.Read(w.server, make([]byte, 1))
	require.NoError(t, err)
	next, own := expected(t, w.server)

	memory, done := newAbsent(t), make(chan error)
	go func() {
		_, err := unix.Read(w.server, memory.page)
		done <- err
	}()
	memory.await(t)
	w.send(t, forged{flags: rst, sequence: next})
	w.send(t, forged{flags: psh | ack, sequence: next - 400, ack: own, data: 400})
	w.send(t, forged{flags: psh | ack, sequence: next, ack: own, data: 300})
	memory.release(t)
	require.NoError(t, <-done)

	e := r.Exactly(t, 1, unicastDrop, at(right), testreceiver.With("source.port", int64(w.from.Port())))[0]
	assert.Equal(t, "tcp_close", e.Attributes[reasonKey])
	assert.Equal(t, int64(20+20+300), e.Attributes["ebpf.packet.size"], "%v", e.Attributes)
}
