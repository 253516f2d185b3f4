// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"sync"

	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// maxQueued bounds the queued events of user space, which wait while the next consumer refuses.
const maxQueued = 4096

// queue holds events of user space until the loop appends them to the batch.
type queue struct {
	mu      sync.Mutex
	pending []func(*batch.Batch)
}

// put returns false if the queue is full.
func (q *queue) put(appendLog func(*batch.Batch)) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pending) >= maxQueued {
		return false
	}
	q.pending = append(q.pending, appendLog)
	return true
}

func (q *queue) take() []func(*batch.Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pending := q.pending
	q.pending = nil
	return pending
}

// Emit queues an event from user space. The loop calls appendLog, which appends the log record to the batch. It returns false
// if the queue is full, and true without queueing if there is no consumer of events. It may be called from any goroutine, and
// before Start.
func (l *Loop) Emit(appendLog func(b *batch.Batch)) (queued bool) {
	if l.settings.Next.Consumer == nil {
		return true
	}
	if !l.queue.put(appendLog) {
		return false
	}
	if !l.started.Load() {
		return true // it begins with the queue
	}
	if err := l.reader.Wake(); err != nil {
		l.settings.Logger.Error("Wake-up failed; events of user space are delayed until the next record", zap.Error(err))
	}
	return true
}

func (l *Loop) appendQueued() {
	for _, appendLog := range l.queue.take() {
		appendLog(l.batch)
	}
}
