// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

type messagesArgs struct {
	FD int
	// To is the peer; the zero value means the connected peer.
	To       netip.AddrPort
	Messages [][]byte
	// Together sends all by one call of sendmmsg(2).
	Together bool
}

// SendMessages sends each message by sendto(2): over UDP a datagram, over TCP a segment if the one before is acknowledged. An invalid
// address means the connected peer.
func (a *Agent) SendMessages(fd int, to netip.AddrPort, messages ...[]byte) Span {
	a.t.Helper()
	return sendEach.Call(a, messagesArgs{FD: fd, To: to, Messages: messages})
}

// SendTogether sends datagrams to the connected peer by one call of sendmmsg(2), as resolvers do.
func (a *Agent) SendTogether(fd int, messages ...[]byte) Span {
	a.t.Helper()
	return sendEach.Call(a, messagesArgs{FD: fd, Messages: messages, Together: true})
}

var sendEach = Define("message.send", func(args messagesArgs) (Span, error) {
	var to unix.Sockaddr
	if args.To.IsValid() {
		to = toSockaddr(args.To)
	}
	span, errno, err := timed(func() error {
		if args.Together {
			return sendmmsg(args.FD, args.Messages)
		}
		for _, message := range args.Messages {
			if err := unix.Sendto(args.FD, message, 0, to); err != nil {
				return err
			}
		}
		return nil
	})
	return span, errors.Join(err, errnoError(errno))
})

// mmsghdr is what the kernel calls so.
type mmsghdr struct {
	unix.Msghdr
	length uint32
	_      [4]byte
}

func sendmmsg(fd int, messages [][]byte) error {
	headers, vectors := make([]mmsghdr, len(messages)), make([]unix.Iovec, len(messages))
	for i, message := range messages {
		vectors[i].Base = unsafe.SliceData(message)
		vectors[i].SetLen(len(message))
		headers[i].Iov = &vectors[i]
		headers[i].SetIovlen(1)
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(headers))), uintptr(len(headers)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if int(n) != len(messages) {
		return fmt.Errorf("%d of %d datagrams were sent", n, len(messages))
	}
	return nil
}

// Arrived is a datagram, or a part of a stream, with the time at which it was there.
type Arrived struct {
	Message []byte
	At      time.Time
}

type arrivalArgs struct {
	FD, Count int
	Patience  time.Duration
}

// ReceiveMessages waits for that many datagrams, or parts of a stream.
func (a *Agent) ReceiveMessages(fd, count int) []Arrived {
	a.t.Helper()
	return receiveAll.Call(a, arrivalArgs{FD: fd, Count: count, Patience: 10 * time.Second})
}

var receiveAll = Define("message.receive", func(args arrivalArgs) ([]Arrived, error) {
	patience := unix.NsecToTimeval(args.Patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(args.FD, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience); err != nil {
		return nil, err
	}
	var all []Arrived
	buffer := make([]byte, 64<<10)
	for len(all) < args.Count {
		n, _, err := unix.Recvfrom(args.FD, buffer, 0)
		if err != nil {
			return all, fmt.Errorf("%d of %d messages were received: %w", len(all), args.Count, err)
		}
		all = append(all, Arrived{Message: append([]byte(nil), buffer[:n]...), At: time.Now()})
	}
	return all, nil
})
