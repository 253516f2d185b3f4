// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"sync"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// emitter returns the Host.Emit of a program. Like the BPF side, it drops events over the event limit, and counts them.
func (s *Set) emitter(config *CommonConfig, number uint32) func(func(*batch.Batch)) {
	if s.options.Emit == nil || !config.Events {
		return func(func(*batch.Batch)) {}
	}
	var limit eventLimit
	if config.EventLimit != nil {
		limit.perSecond = *config.EventLimit
	}
	return func(appendLog func(*batch.Batch)) {
		if s.holds[number].isOn() || !limit.take(time.Now()) {
			s.counts.limited[number].Add(1)
			return
		}
		queued := s.options.Emit(func(b *batch.Batch) { b.AppendFor(uint8(number), appendLog) })
		if !queued {
			s.counts.overrun[number].Add(1)
		}
	}
}

// eventLimit is the event limit of one program in user space. The BPF side has another one, for the records of the ring
// (take_from_limit in bpf/include/record.h): a program that emits events on both sides has the limit on each.
type eventLimit struct {
	perSecond int // 0: no limit

	mu    sync.Mutex
	start time.Time // of the current second
	count int
}

// take reports whether an event is within the limit, and counts it if so.
func (l *eventLimit) take(now time.Time) bool {
	if l.perSecond == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.start) >= time.Second {
		l.start, l.count = now, 0
	}
	if l.count >= l.perSecond {
		return false
	}
	l.count++
	return true
}
