// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package eventstoreexporter

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// refusals counts the events of batches that were refused because the queue was full. The sender may retry a batch: if it is stored
// then, it is not lost, and if it is refused again, it is not lost twice.
type refusals struct {
	seed maphash.Seed
	now  func() time.Time

	mu sync.Mutex
	// pending are the refused batches that may be retried, by the hash of their content.
	pending map[uint64]refusal
	// lost counts the events of batches that were not retried in time.
	lost int64
}

type refusal struct {
	events int64
	last   time.Time
}

const (
	// comesAgain is how long to wait for a retry. The receivers and exporters of the collector pause for at most 45 s.
	comesAgain = time.Minute
	// maxPending bounds the memory.
	maxPending = 4096
)

func newRefusals() *refusals {
	return &refusals{seed: maphash.MakeSeed(), now: time.Now, pending: map[uint64]refusal{}}
}

// refuse counts a batch that the queue refused.
func (r *refusals) refuse(logs plog.Logs) {
	key := r.key(logs)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle()
	events := int64(logs.LogRecordCount())
	if _, again := r.pending[key]; !again && len(r.pending) >= maxPending {
		r.lost += events
		return
	}
	r.pending[key] = refusal{events, r.now()}
}

// offered removes a retried batch from the pending ones. It is called before the queue, which may own the batch afterwards.
func (r *refusals) offered(logs plog.Logs) {
	r.mu.Lock()
	waiting := len(r.pending)
	r.mu.Unlock()
	if waiting == 0 { // nearly always
		return
	}
	key := r.key(logs)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle()
	delete(r.pending, key)
}

// settle counts batches that were not retried in time as lost.
func (r *refusals) settle() {
	for key, one := range r.pending {
		if r.now().Sub(one.last) > comesAgain {
			r.lost += one.events
			delete(r.pending, key)
		}
	}
}

// counts returns the number of lost events, and the number of events that are not stored so far, which includes pending ones.
func (r *refusals) counts() (lost, notStored int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle()
	notStored = r.lost
	for _, one := range r.pending {
		notStored += one.events
	}
	return r.lost, notStored
}

// key is the hash of the content of a batch.
func (r *refusals) key(logs plog.Logs) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	number := func(n uint64) {
		var text [8]byte
		binary.LittleEndian.PutUint64(text[:], n)
		_, _ = h.Write(text[:]) // it cannot fail
	}
	for _, rl := range logs.ResourceLogs().All() {
		number(uint64(rl.Resource().Attributes().Len()))
		for _, sl := range rl.ScopeLogs().All() {
			number(uint64(sl.LogRecords().Len()))
			for _, lr := range sl.LogRecords().All() {
				number(uint64(lr.Timestamp()))
				number(uint64(lr.ObservedTimestamp()))
				number(uint64(lr.Attributes().Len()))
				_, _ = h.WriteString(lr.EventName())
				if lr.Body().Type() == pcommon.ValueTypeStr {
					_, _ = h.WriteString(lr.Body().Str())
				}
			}
		}
	}
	return h.Sum64()
}
