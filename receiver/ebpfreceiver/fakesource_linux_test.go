// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// fakeProgram is the program that writes what fakeSource is told to write.
const fakeProgram = 3

// fakeRecord is a record of the ring as fakeSource writes it.
type fakeRecord struct {
	common.Record
	ID uint64
}

func recordOf(id, ktime uint64) *fakeRecord {
	return &fakeRecord{Record: common.Record{Program: uint8(fakeProgram), Time: ktime}, ID: id}
}

func (r *fakeRecord) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(r)), unsafe.Sizeof(*r))
}

// fakeSource is a source and its reader without a kernel: tests write the records, all of one CPU.
type fakeSource struct {
	notice chan struct{}

	mu       sync.Mutex
	ring     [][]byte
	sequence uint64
	// delivered and refused are what the receiver counted, by program.
	delivered, refused [common.MaxPrograms]int
	// done is what was done to the source, in order.
	done []string
	// drains is how often the ring was read.
	drains int

	// What the methods of these names return.
	readerErr, waitErr, scrapeErr, closeErr error
	used                                    float64
	// flood is whether there are always more records than are read.
	flood atomic.Bool
	// onScrape and onDetach are called by the methods of these names.
	onScrape func(*program.Metrics)
	onDetach func()
}

var (
	_ source       = (*fakeSource)(nil)
	_ recordReader = fakeReader{}
)

func newFakeSource() *fakeSource { return &fakeSource{notice: make(chan struct{}, 1)} }

// write puts a record with an id into the ring, at a time of the kernel.
func (s *fakeSource) write(id, ktime uint64) {
	r := recordOf(id, ktime)
	s.put(r.bytes(), func() {
		s.sequence++
		r.Sequence = s.sequence
	})
}

// writeAll puts records with the ids from 1 to n into the ring.
func (s *fakeSource) writeAll(n int) {
	for id := range n {
		s.write(uint64(id)+1, uint64(id)+1)
	}
}

// writeRaw puts anything into the ring.
func (s *fakeSource) writeRaw(raw []byte) { s.put(raw, func() {}) }

// put does what the kernel does: it wakes the reader if that has seen all that came before.
func (s *fakeSource) put(raw []byte, number func()) {
	s.mu.Lock()
	number()
	notice := len(s.ring) == 0
	s.ring = append(s.ring, raw)
	s.mu.Unlock()
	if notice {
		s.wake()
	}
}

// lose does what the kernel does when the ring has no room.
func (s *fakeSource) lose(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence += n
}

func (s *fakeSource) wake() {
	select {
	case s.notice <- struct{}{}:
	default:
	}
}

func (s *fakeSource) note(done string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, done)
}

// history returns what was done to the source.
func (s *fakeSource) history() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// counted returns how many records of the program were counted as delivered and as refused.
func (s *fakeSource) counted() (delivered, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered[fakeProgram], s.refused[fakeProgram]
}

// Reader implements source.
func (s *fakeSource) Reader() (recordReader, error) {
	if s.readerErr != nil {
		return nil, s.readerErr
	}
	return fakeReader{s}, nil
}

// AppendLog implements source.
func (s *fakeSource) AppendLog(b *batch.Batch, raw []byte) error {
	r, ok := common.View[fakeRecord](raw)
	if !ok {
		return errors.New("too short")
	}
	lr := b.Append(&r.Record, 0, "ebpf.connection.connect", plog.SeverityNumberInfo)
	lr.Attributes().PutStr(receivertest.UniqueIDAttrName, strconv.FormatUint(r.ID, 10))
	return nil
}

// LastSequences implements source.
func (s *fakeSource) LastSequences() ([]uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []uint64{s.sequence}, nil
}

// CountDelivered implements source.
func (s *fakeSource) CountDelivered(events [common.MaxPrograms]int) { s.count(&s.delivered, events) }

// CountRefused implements source.
func (s *fakeSource) CountRefused(events [common.MaxPrograms]int) { s.count(&s.refused, events) }

func (s *fakeSource) count(to *[common.MaxPrograms]int, events [common.MaxPrograms]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range events {
		to[id] += n
	}
}

// Scrape implements source.
func (s *fakeSource) Scrape(m *program.Metrics) error {
	if s.onScrape != nil {
		s.onScrape(m)
	}
	return s.scrapeErr
}

// Attached implements source.
func (*fakeSource) Attached() int { return 3 }

// Detach implements source.
func (s *fakeSource) Detach() {
	s.note("detach")
	if s.onDetach != nil {
		s.onDetach()
	}
}

// Close implements source.
func (s *fakeSource) Close() error {
	s.note("close")
	return s.closeErr
}

// fakeReader is the reader of a fakeSource.
type fakeReader struct{ *fakeSource }

// Wait implements recordReader.
func (r fakeReader) Wait(timeout time.Duration) error {
	if r.waitErr != nil {
		return r.waitErr
	}
	var end <-chan time.Time
	if timeout >= 0 {
		end = time.After(timeout)
	}
	select {
	case <-r.notice:
	case <-end:
	}
	return nil
}

// Wake implements recordReader.
func (r fakeReader) Wake() error {
	r.wake()
	return nil
}

// Drain implements recordReader.
func (r fakeReader) Drain(limit int, f func(record []byte)) int {
	if r.flood.Load() {
		time.Sleep(10 * time.Millisecond)
		for range limit {
			r.write(0, 1)
		}
	}
	r.mu.Lock()
	n := max(0, min(limit, len(r.ring)))
	records := r.ring[:n]
	r.ring = r.ring[n:]
	r.drains++
	r.mu.Unlock()
	for _, record := range records {
		f(record)
	}
	return n
}

// Used implements recordReader.
func (r fakeReader) Used() float64 { return r.used }

// Close implements recordReader.
func (r fakeReader) Close() error {
	r.note("close reader")
	return nil
}
