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

// Drops sends UDP datagrams over loopback to a closed port. The kernel drops each one.
type Drops struct {
	// Count is the number of datagrams.
	Count int
	// Threads is the number of threads that share them; at least 1.
	Threads int
}

// DropsDone is the result.
type DropsDone struct {
	// Sent is how many datagrams the kernel accepted.
	Sent int
	// Bytes is the size of each datagram, including the IP header.
	Bytes   int
	Elapsed time.Duration
}

// PerSecond is the achieved rate.
func (d DropsDone) PerSecond() float64 { return float64(d.Sent) / d.Elapsed.Seconds() }

const (
	payloadBytes = 32
	headerBytes  = 20 + 8 // IPv4 and UDP
	atOnce       = 64     // datagrams per system call
)

// Run sends the datagrams. If in is not nil, the process is in that cgroup.
func (d Drops) Run(in *testhost.Cgroup) (done DropsDone, err error) {
	done, err = work(in, drop, d)
	if err == nil && done.Sent != d.Count {
		err = fmt.Errorf("of %d datagrams only %d were sent", d.Count, done.Sent)
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

// closedPort returns an unused UDP port that the kernel does not assign automatically.
func closedPort() (uint16, error) {
	const below = 20000 // outside of the default ephemeral range
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

// sendAll sends from an unconnected socket. The kernel does not report ICMP errors to such a socket.
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
