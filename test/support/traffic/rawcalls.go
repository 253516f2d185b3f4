// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// These calls bypass the Go scheduler, whose work would be part of the measurement.

func closeRaw(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

func openRaw(kind int) (int, error) {
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, uintptr(kind|unix.SOCK_CLOEXEC), 0)
	if errno != 0 {
		return -1, fmt.Errorf("socket: %w", errno)
	}
	return int(fd), nil
}

func connectRaw(fd int, to *unix.RawSockaddrInet4) error {
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(to)), unsafe.Sizeof(*to))
	if errno != 0 {
		return fmt.Errorf("connect: %w", errno)
	}
	return nil
}

func acceptRaw(fd int) (int, error) {
	conn, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, fmt.Errorf("accept: %w", errno)
	}
	return int(conn), nil
}

// awaitEnd reads until the peer has closed.
func awaitEnd(fd int) error {
	var b [1]byte
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1)
	if errno != 0 {
		return fmt.Errorf("read: %w", errno)
	}
	if n != 0 {
		return fmt.Errorf("read %d bytes where none were sent", n)
	}
	return nil
}

func sendMessages(fd int, messages []message) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(messages))),
		uintptr(len(messages)), 0, 0, 0)
	return int(n), errno
}

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	sent   uint32
	_      [4]byte
}

// loopbackAddress returns an address of the loopback network. All of 127.0.0.0/8 is this host.
func loopbackAddress(second, third, fourth byte, port uint16) unix.RawSockaddrInet4 {
	a := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte{127, second, third, fourth}}
	// The port is in network byte order.
	p := (*[2]byte)(unsafe.Pointer(&a.Port))
	p[0], p[1] = byte(port>>8), byte(port)
	return a
}
