// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package deliverytest has a source, a reader, a consumer and a host to test the delivery of events without a kernel.
package deliverytest

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

// Number is the program number in the records of a Source.
const Number = 3

// Program is the program's name.
const Program = "connection"

// Record is a record of a Source.
type Record struct {
	common.Record
	ID uint64
}

// RecordOf returns a record with an id and a kernel time.
func RecordOf(id, ktime uint64) *Record {
	return &Record{Record: common.Record{Program: Number, Time: ktime}, ID: id}
}

// Bytes returns the record's bytes in the ring.
func (r *Record) Bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(r)), unsafe.Sizeof(*r))
}

// Source decodes and counts the records that tests write, all of one CPU. Its Reader reads them.
type Source struct {
	// WaitErr is the result of Reader.Wait, UsedRatio that of Reader.Used. Set them before the start.
	WaitErr   error
	UsedRatio float64
	// Decoded is called with each record that is decoded, if it is set before the start.
	Decoded func()
	// Flood makes the ring never become empty.
	Flood atomic.Bool

	notice chan struct{}

	mu       sync.Mutex
	ring     [][]byte
	held     []heldRecord
	sequence uint64
	// delivered and refused are the counts by program.
	delivered, refused [common.MaxPrograms]int
	undecodable        uint64
	limited            uint64
	// readings is how often the loss counters were read.
	readings int
	history  []string
	drains   int
}

type heldRecord struct {
	raw   []byte
	until time.Time
}

// NewSource returns a source with an empty ring.
func NewSource() *Source { return &Source{notice: make(chan struct{}, 1)} }

// Write puts a record with an id and a kernel time into the ring.
func (s *Source) Write(id, ktime uint64) {
	r := RecordOf(id, ktime)
	s.put(r.Bytes(), func() {
		s.sequence++
		r.Sequence = s.sequence
	})
}

// WriteAll puts records with the ids from 1 to n into the ring.
func (s *Source) WriteAll(n int) {
	for id := range n {
		s.Write(uint64(id)+1, uint64(id)+1)
	}
}

// WriteRaw puts arbitrary bytes into the ring.
func (s *Source) WriteRaw(raw []byte) { s.put(raw, func() {}) }

// put acts like the kernel: it wakes the reader if that has read all earlier records.
func (s *Source) put(raw []byte, number func()) {
	s.mu.Lock()
	number()
	notice := len(s.ring) == 0
	s.ring = append(s.ring, raw)
	s.mu.Unlock()
	if notice {
		s.wake()
	}
}

// Lose acts like the kernel when the ring is full.
func (s *Source) Lose(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence += n
}

func (s *Source) wake() {
	select {
	case s.notice <- struct{}{}:
	default:
	}
}

// Note appends a line to the history.
func (s *Source) Note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = append(s.history, line)
}

// History returns the calls of the source's methods, in order.
func (s *Source) History() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history
}

// Counted returns the number of records counted as delivered and as refused.
func (s *Source) Counted() (delivered, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered[Number], s.refused[Number]
}

// Sequence returns the last sequence number.
func (s *Source) Sequence() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sequence
}

// Drains returns how often the ring was read.
func (s *Source) Drains() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drains
}

// AppendLog implements delivery.Source.
func (s *Source) AppendLog(b *batch.Batch, raw []byte) error {
	r, ok := common.View[Record](raw)
	if !ok {
		return errors.New("too short")
	}
	if s.Decoded != nil {
		s.Decoded()
	}
	lr := b.Append(&r.Record, 0, "ebpf.connection.connect", plog.SeverityNumberInfo)
	lr.Attributes().PutStr(receivertest.UniqueIDAttrName, strconv.FormatUint(r.ID, 10))
	return nil
}

// Hold makes the source hold back a record with an id and a kernel time until then.
func (s *Source) Hold(id, ktime uint64, until time.Time) {
	s.mu.Lock()
	s.held = append(s.held, heldRecord{RecordOf(id, ktime).Bytes(), until})
	s.mu.Unlock()
	s.wake()
}

// AppendHeld implements delivery.Source.
func (s *Source) AppendHeld(b *batch.Batch, all bool) (next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.held) > 0 && (all || !time.Now().Before(s.held[0].until)) && b.Room() > 0 {
		_ = s.AppendLog(b, s.held[0].raw)
		s.held = s.held[1:]
	}
	if len(s.held) == 0 {
		return time.Time{}
	}
	return s.held[0].until
}

// LastSequences implements delivery.Source.
func (s *Source) LastSequences() ([]uint64, error) { return []uint64{s.Sequence()}, nil }

// CountDelivered implements delivery.Source.
func (s *Source) CountDelivered(events [common.MaxPrograms]int) { s.count(&s.delivered, events) }

// CountRefused implements delivery.Source.
func (s *Source) CountRefused(events [common.MaxPrograms]int) { s.count(&s.refused, events) }

func (s *Source) count(to *[common.MaxPrograms]int, events [common.MaxPrograms]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, n := range events {
		to[id] += n
	}
}

// CountUndecodable implements delivery.Source.
func (s *Source) CountUndecodable([]byte) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undecodable++
	return s.undecodable == 1
}

// HoldBack acts like the kernel when the event limit is exceeded.
func (s *Source) HoldBack(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limited += n
}

// Readings returns how often the loss counters were read.
func (s *Source) Readings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readings
}

// Losses implements delivery.Source.
func (s *Source) Losses() (program.Losses, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings++
	return program.Losses{
		{Program: Program, Cause: "rate_limit", Count: s.limited},
		{Program: Program, Cause: "refused", Count: uint64(s.refused[Number])},
		{Program: Program, Cause: "undecodable", Count: s.undecodable},
	}, nil
}

// Reader reads a source's ring.
type Reader struct{ source *Source }

// NewReader returns a reader of a source's ring.
func NewReader(s *Source) Reader { return Reader{s} }

// Wait implements delivery.Reader.
func (r Reader) Wait(timeout time.Duration) error {
	if r.source.WaitErr != nil {
		return r.source.WaitErr
	}
	var end <-chan time.Time
	if timeout >= 0 {
		end = time.After(timeout)
	}
	select {
	case <-r.source.notice:
	case <-end:
	}
	return nil
}

// Wake implements delivery.Reader.
func (r Reader) Wake() error {
	r.source.wake()
	return nil
}

// Drain implements delivery.Reader.
func (r Reader) Drain(limit int, f func(record []byte)) int {
	s := r.source
	if s.Flood.Load() {
		time.Sleep(10 * time.Millisecond)
		for range limit {
			s.Write(0, 1)
		}
	}
	s.mu.Lock()
	n := max(0, min(limit, len(s.ring)))
	records := s.ring[:n]
	s.ring = s.ring[n:]
	s.drains++
	s.mu.Unlock()
	for _, record := range records {
		f(record)
	}
	return n
}

// Used implements delivery.Reader.
func (r Reader) Used() float64 { return r.source.UsedRatio }

// Close implements delivery.Reader.
func (r Reader) Close() error {
	r.source.Note("close reader")
	return nil
}
