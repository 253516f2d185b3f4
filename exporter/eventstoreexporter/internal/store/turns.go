// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"runtime"
	"sync"
)

// turns keep a CPU free for the writer. While it writes, at most as many others work as there are CPUs minus one, and each takes a turn
// for every short piece of work. An operation that waits for a long time, such as for the disk, must not be part of a turn.
type turns struct {
	mu        sync.Mutex
	free      sync.Cond
	isWriting bool
	working   int
	most      int
}

func newTurns() *turns {
	t := &turns{most: max(1, runtime.GOMAXPROCS(0)-1)}
	t.free.L = &t.mu
	return t
}

// write begins a write and returns the function that ends it.
func (t *turns) write() (end func()) {
	t.setWriting(true)
	return func() { t.setWriting(false) }
}

func (t *turns) setWriting(to bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.isWriting = to
	t.free.Broadcast()
}

// take begins a turn.
func (t *turns) take() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.isWriting && t.working >= t.most {
		t.free.Wait()
	}
	t.working++
}

// give ends a turn.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.working--
	t.free.Signal()
}

// next ends a turn and begins another one.
func (t *turns) next() {
	t.give()
	t.take()
}
