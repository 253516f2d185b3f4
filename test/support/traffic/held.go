// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// maxHeld is the maximum number of connections per process. Machines may limit a process to 20,000 descriptors, and a connection takes
// two.
const maxHeld = 9000

// Held are TCP connections over loopback that stay open and do nothing.
type Held struct{ workers []*worker }

// HoldConnections opens connections, in as many processes as they need. If in is not nil, the processes are in that cgroup.
func HoldConnections(in *testhost.Cgroup, count int) (h *Held, err error) {
	h = &Held{}
	for i := 0; count > 0 && err == nil; i++ {
		n := min(count, maxHeld)
		var w *worker
		if w, err = startWorker(in); err == nil {
			h.workers = append(h.workers, w)
			_, err = keepOpen.ask(w.child, "", keepOpenArgs{Count: n, Address: [4]byte{127, 0, 77, byte(1 + i)}})
		}
		count -= n
	}
	if err != nil {
		for _, w := range h.workers {
			w.kill()
		}
	}
	return h, err
}

// Close ends the processes, and so the connections.
func (h *Held) Close() (err error) {
	for _, w := range h.workers {
		err = errors.Join(err, w.stop())
	}
	return err
}

type keepOpenArgs struct {
	Count int
	// Address is the address of the server. One address has ephemeral ports for maxHeld connections.
	Address [4]byte
}

var keepOpen = Define("connections.hold", func(args keepOpenArgs) (done struct{}, err error) {
	listener, err := openRaw(unix.SOCK_STREAM)
	if err != nil {
		return done, err
	}
	if err := errors.Join(unix.Bind(listener, &unix.SockaddrInet4{Addr: args.Address}), unix.Listen(listener, 16)); err != nil {
		return done, fmt.Errorf("listen: %w", err)
	}
	at, err := unix.Getsockname(listener)
	if err != nil {
		return done, fmt.Errorf("getsockname: %w", err)
	}
	for range args.Count {
		client, err := openRaw(unix.SOCK_STREAM)
		if err != nil {
			return done, err
		}
		if err := unix.Connect(client, at); err != nil {
			return done, fmt.Errorf("connect: %w", err)
		}
		if _, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
			return done, fmt.Errorf("accept: %w", err)
		}
	}
	return done, nil
})
