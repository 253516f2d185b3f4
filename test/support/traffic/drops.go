// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// Drops asks for UDP datagrams over loopback to a port where nobody listens: the kernel drops each one.
type Drops struct {
	// Count is how many datagrams are sent.
	Count int
	// Threads is how many threads share them; at least 1.
	Threads int
}

// DropsDone is what was done.
type DropsDone struct {
	// Sent is how many datagrams the kernel took.
	Sent int
	// Bytes is the size of each of them, from the IP header on.
	Bytes   int
	Elapsed time.Duration
}

// PerSecond is the rate that was reached.
func (d DropsDone) PerSecond() float64 { return float64(d.Sent) / d.Elapsed.Seconds() }

const (
	payloadBytes = 32
	headerBytes  = 20 + 8 // IPv4 and UDP
	atOnce       = 64     // datagrams per system call
)

// Run sends the datagrams, by a process in the cgroup if that is not nil.
func (d Drops) Run(in *testhost.Cgroup) (done DropsDone, err error) {
	done, err = work(in, drop, d)
	if err == nil && done.Sent != d.Count {
		err = fmt.Errorf("of %d datagrams %d were sent", d.Count, done.Sent)
	}
	return done, err
}

var drop = Define("drops.send", func(d Drops) (done DropsDone, err error) {
	port, err := closedPort()
	if err != nil {
		return done, err
	}
	counts := shares(d.Count, d.Threads)
	sent := make([]int, d.Threads)
	begin := time.Now()
	err = onThreads(d.Threads, func(i int) (err error) {
		sent[i], err = sendAll(counts[i], port)
		return err
	})
	done = DropsDone{Elapsed: time.Since(begin), Bytes: headerBytes + payloadBytes}
	for _, n := range sent {
		done.Sent += n
	}
	return done, err
})

// closedPort returns a UDP port that was free just now, and that the kernel gives to nobody who asks for any.
func closedPort() (uint16, error) {
	const below = 20000 // of the ports given out by default
	for port := uint16(below); port > below-1000; port-- {
		fd, err := openRaw(unix.SOCK_DGRAM)
		if err != nil {
			return 0, err
		}
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(port)})
		closeRaw(fd)
		if err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free UDP port below %d", below)
}

// sendAll sends from one socket that is not connected: the kernel does not report to such a socket that nobody listens.
func sendAll(count int, port uint16) (sent int, err error) {
	fd, err := openRaw(unix.SOCK_DGRAM)
	if err != nil {
		return 0, err
	}
	defer closeRaw(fd)
	to := loopbackAddress(0, 0, 1, port)
	payload := make([]byte, payloadBytes)
	vector := unix.Iovec{Base: &payload[0]}
	vector.SetLen(len(payload))
	messages := make([]message, atOnce)
	for i := range messages {
		h := &messages[i].header
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&to)), uint32(unsafe.Sizeof(to))
		h.Iov = &vector
		h.SetIovlen(1)
	}
	for sent < count {
		n, errno := sendMessages(fd, messages[:min(atOnce, count-sent)])
		switch errno {
		case 0:
			sent += n
		case unix.EINTR, unix.EAGAIN, unix.ENOBUFS:
		default:
			return sent, fmt.Errorf("sendmmsg: %w", errno)
		}
	}
	return sent, nil
}
