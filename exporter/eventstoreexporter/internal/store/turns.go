// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"runtime"
	"sync"
)

// turns leave the writer a CPU: while it writes, one fewer than there are CPUs work beside it, a short piece at a time each. What takes
// long without a turn, such as a write that waits for the disk, must not be done in one.
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

// write begins a write, and returns what ends it.
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

// take begins a piece of work beside the writer.
func (t *turns) take() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.isWriting && t.working >= t.most {
		t.free.Wait()
	}
	t.working++
}

// give ends a piece of work.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.working--
	t.free.Signal()
}

// next ends a piece of work and begins another one.
func (t *turns) next() {
	t.give()
	t.take()
}
