// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	streamSocket   = unix.SOCK_STREAM
	datagramSocket = unix.SOCK_DGRAM
	backlog        = 1024
)

// serveJob asks for one listener, and a thread that serves it, per share of connections; pinned, each on a CPU.
type serveJob struct {
	Shares []int
	Pinned bool
}

// listening is a server's first result, served its second.
type (
	listening struct{ Ports []uint16 }
	served    struct{ Accepted int }
)

func (j *serveJob) run(out *json.Encoder) error {
	var ready listening
	listeners := make([]int, len(j.Shares))
	for i := range listeners {
		fd, port, err := listen()
		if err != nil {
			return err
		}
		listeners[i] = fd
		ready.Ports = append(ready.Ports, port)
	}
	if err := out.Encode(ready); err != nil {
		return err
	}
	accepted := make([]int, len(j.Shares))
	err := onThreads(len(j.Shares), func(i int) error {
		if j.Pinned {
			if err := stayOn(i); err != nil {
				return err
			}
		}
		for ; accepted[i] < j.Shares[i]; accepted[i]++ {
			conn, err := accept(listeners[i])
			if err != nil {
				return err
			}
			closeFD(conn)
		}
		return nil
	})
	var done served
	for _, n := range accepted {
		done.Accepted += n
	}
	return errors.Join(err, out.Encode(done))
}

// listen listens on a free port of every address of this host.
func listen() (fd int, port uint16, err error) {
	if fd, err = openSocket(streamSocket); err != nil {
		return -1, 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		return -1, 0, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return -1, 0, fmt.Errorf("listen: %w", err)
	}
	port, err = boundPort(fd)
	return fd, port, err
}

func boundPort(fd int) (uint16, error) {
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("getsockname: %w", err)
	}
	return uint16(bound.(*unix.SockaddrInet4).Port), nil
}
