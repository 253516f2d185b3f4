// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// collect returns a function that keeps copies of messages.
func collect(to *[][]byte) func([]byte) {
	return func(message []byte) { *to = append(*to, slices.Clone(message)) }
}

// The messages are the same for any segmentation, order and repetition.
func TestStreamOfAnySegments(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var want [][]byte
		var all []byte
		for range 1 + random.IntN(5) {
			message := make([]byte, random.IntN(40))
			for i := range message {
				message[i] = byte(random.IntN(256))
			}
			want = append(want, message)
			all = append(all, prefixed(message)...)
		}
		first := random.Uint32()
		var segments []segment
		for at := 0; at < len(all); {
			n := 1 + random.IntN(min(30, len(all)-at))
			segments = append(segments, segment{first + uint32(at), uint32(n), all[at : at+n]})
			at += n
		}
		for i := range segments { // some come late, and some twice
			if j := i + random.IntN(3); j < len(segments) {
				segments[i], segments[j] = segments[j], segments[i]
			}
			if random.IntN(4) == 0 {
				segments = append(segments, segments[i])
			}
		}
		var have [][]byte
		var s stream
		s.start(first)
		for _, one := range segments {
			require.False(t, s.add(one.number, one.length, one.data, collect(&have)))
		}
		require.Len(t, have, len(want))
		for i := range want {
			require.True(t, bytes.Equal(want[i], have[i]))
		}
		require.Empty(t, s.early)
	}
}

// Bytes that were not captured are missing at the end of a message. If the next length is among them, the stream is lost until the
// next segment.
func TestStreamWithUnknownBytes(t *testing.T) {
	var have [][]byte
	var s stream
	message := bytes.Repeat([]byte{7}, 100)
	whole := prefixed(message)
	require.False(t, s.add(1, uint32(len(whole)), whole[:50], collect(&have)))
	require.False(t, s.add(103, 102, whole, collect(&have)))
	assert.Equal(t, [][]byte{message[:48], message}, have)

	require.False(t, s.add(205, 60, whole[:50], collect(&have)))
	require.False(t, s.add(265, 42, whole[60:], collect(&have)))
	assert.Equal(t, message[:48], have[2], "what follows a gap belongs to another place")

	require.True(t, s.add(307, 150, whole[:50], collect(&have)))
	require.False(t, s.add(457, 102, whole, collect(&have)))
	assert.Equal(t, message, have[len(have)-1])
}

func TestStreamIsBounded(t *testing.T) {
	var have [][]byte
	var s stream
	long := binary.BigEndian.AppendUint16(nil, 0xffff)
	long = append(long, make([]byte, 0xffff)...)
	for at := 0; at < len(long); at += 1000 {
		part := long[at:min(at+1000, len(long))]
		require.False(t, s.add(uint32(at), uint32(len(part)), part, collect(&have)))
	}
	require.Len(t, have, 1)
	assert.Len(t, have[0], maxKept)

	s.start(0)
	lost := false
	for i := range maxEarly + 1 {
		lost = s.add(uint32(100+10*i), 5, make([]byte, 5), collect(&have))
		assert.LessOrEqual(t, len(s.early), maxEarly)
	}
	assert.True(t, lost)
}

func FuzzStream(f *testing.F) {
	f.Add(uint32(1), uint32(10), []byte{0, 1, 5}, uint32(4), uint32(3), []byte{1})
	f.Fuzz(func(t *testing.T, first, length uint32, data []byte, second, length2 uint32, data2 []byte) {
		var s stream
		add := func(number, length uint32, data []byte) {
			length %= 1 << 20
			s.add(number, length, data[:min(len(data), int(length))], func(message []byte) {
				require.LessOrEqual(t, len(message), maxKept)
				_, _ = parse(message)
			})
		}
		add(first, length, data)
		add(second, length2, data2)
		add(first+1, length2, data)
		require.LessOrEqual(t, len(s.early), maxEarly)
	})
}
