// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import "encoding/binary"

const (
	// prefixSize is the size of the length before each message of a stream.
	prefixSize = 2
	// maxKept is the most bytes that are kept of a message. Answers with addresses are shorter.
	maxKept = 8192
	// maxEarly is how many segments wait for one that comes late, and maxEarlyKept how many bytes of them.
	maxEarly, maxEarlyKept = 16, 8192
)

// stream reassembles the messages of one direction of a TCP connection. Segments may be repeated and out of order, and their last
// bytes may not be captured.
type stream struct {
	known bool   // whether next is known
	next  uint32 // number of the byte that comes next
	early []segment
	// earlyKept is how many bytes those have.
	earlyKept int

	prefix [prefixSize]byte
	have   int // bytes of the prefix
	left   int // bytes of the message that are still to come
	kept   []byte
	cut    bool // bytes after the kept ones were not captured
}

type segment struct {
	number, length uint32
	data           []byte
}

// start begins the stream at a sequence number, where a message begins.
func (s *stream) start(number uint32) {
	*s = stream{known: true, next: number, kept: s.kept[:0]}
}

// add adds a segment and calls f for each message that it completes. It returns true if messages were lost.
func (s *stream) add(number, length uint32, data []byte, f func(message []byte)) (lost bool) {
	if !s.known {
		s.start(number)
	}
	if int32(number-s.next) > 0 {
		if len(s.early) < maxEarly && s.earlyKept+len(data) <= maxEarlyKept {
			s.earlyKept += len(data)
			s.early = append(s.early, segment{number: number, length: length, data: append([]byte(nil), data...)})
			return false
		}
		lost = true
		s.start(number)
	}
	if !s.take(segment{number: number, length: length, data: data}, f) {
		return true
	}
	for i := 0; i < len(s.early); i++ {
		if one := s.early[i]; int32(one.number-s.next) <= 0 {
			s.early = append(s.early[:i], s.early[i+1:]...)
			s.earlyKept -= len(one.data)
			i = -1 // the one before may be next
			if !s.take(one, f) {
				return true
			}
		}
	}
	return lost
}

// take adds the new part of a segment. It returns false if the length of a message was not captured: then the beginning of the next
// one is unknown.
func (s *stream) take(one segment, f func(message []byte)) bool {
	old := s.next - one.number
	if old >= one.length {
		return true
	}
	data, length := one.data[min(int(old), len(one.data)):], int(one.length-old)
	s.next += uint32(length)
	for length > 0 {
		if s.have < prefixSize {
			if len(data) == 0 {
				*s = stream{kept: s.kept[:0]}
				return false
			}
			s.prefix[s.have] = data[0]
			s.have++
			data, length = data[1:], length-1
			if s.have == prefixSize {
				s.left, s.kept, s.cut = int(binary.BigEndian.Uint16(s.prefix[:])), s.kept[:0], false
			}
		} else {
			n := min(s.left, length)
			s.keep(data[:min(n, len(data))], n)
			data, length, s.left = data[min(n, len(data)):], length-n, s.left-n
		}
		if s.have == prefixSize && s.left == 0 {
			s.have = 0
			f(s.kept)
		}
	}
	return true
}

// keep appends n bytes of the message, as far as they were captured.
func (s *stream) keep(known []byte, n int) {
	if s.cut {
		return
	}
	room := maxKept - len(s.kept)
	s.kept = append(s.kept, known[:min(room, len(known))]...)
	s.cut = len(known) < n || len(known) > room
}
