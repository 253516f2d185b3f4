// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// acceptBacklog is the backlog of each listener.
const acceptBacklog = 1024

// acceptArgs has the number of connections per listener. Each listener has its own thread; if pinned, on its own CPU.
type acceptArgs struct {
	Shares []int
	Pinned bool
}

// accepting has the listening ports.
type accepting struct {
	Ports []uint16
	// FD identifies the server for the operation tcp.served, which waits for its end.
	FD int
}

// acceptMany accepts and closes connections in the background.
var acceptMany = Define("connections.accept", func(args acceptArgs) (ready accepting, err error) {
	cpus, err := allowedCPUs()
	if err != nil {
		return ready, err
	}
	listeners := make([]int, len(args.Shares))
	for i := range listeners {
		fd, port, err := listenAnywhere()
		if err != nil {
			return ready, err
		}
		listeners[i] = fd
		ready.Ports = append(ready.Ports, port)
	}
	ready.FD = listeners[0]
	accepted := make([]int, len(args.Shares))
	serveInBackground(ready.FD, func() (total int, err error) {
		err = onThreads(len(args.Shares), func(i int) error {
			if args.Pinned {
				if err := stayOn(cpus, i); err != nil {
					return err
				}
			}
			for ; accepted[i] < args.Shares[i]; accepted[i]++ {
				conn, err := acceptRaw(listeners[i])
				if err != nil {
					return err
				}
				closeRaw(conn)
			}
			return nil
		})
		for _, n := range accepted {
			total += n
		}
		return total, err
	})
	return ready, nil
})

// listenAnywhere listens on a free port of every address of this host.
func listenAnywhere() (fd int, port uint16, err error) {
	if fd, err = openRaw(unix.SOCK_STREAM); err != nil {
		return -1, 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		return -1, 0, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(fd, acceptBacklog); err != nil {
		return -1, 0, fmt.Errorf("listen: %w", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return -1, 0, fmt.Errorf("getsockname: %w", err)
	}
	return fd, uint16(bound.(*unix.SockaddrInet4).Port), nil
}
