// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// The Bloom filter of a block has the values of attributes that are neither rare, nor a column, nor a string with a number.
const (
	bloomBytes  = 512
	bloomHashes = 6
)

// hashOf returns the hash of a key and a value. Files contain hashes, so this function must not change.
func hashOf(key, value uint64) uint64 {
	h := key ^ value*0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	return h
}

// hashText is FNV-1a.
func hashText(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

func bloomAdd(filter []byte, hash uint64) {
	step := bits.RotateLeft64(hash, 32) | 1
	for range bloomHashes {
		bit := hash % (bloomBytes * 8)
		filter[bit/8] |= 1 << (bit % 8)
		hash += step
	}
}

func bloomHas(filter []byte, hash uint64) bool {
	step := bits.RotateLeft64(hash, 32) | 1
	for range bloomHashes {
		bit := hash % (bloomBytes * 8)
		if filter[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
		hash += step
	}
	return true
}

// each calls number for each string with a number in the rest of a record, and hash for each other value.
func (s *shape) each(rest []byte, number func(id int64), hash func(uint64)) {
	for i := range s.attributes {
		a := &s.attributes[i]
		if a.column != inRest {
			continue
		}
		switch a.kind {
		case pcommon.ValueTypeStr:
			v, n := binary.Uvarint(rest)
			if n <= 0 {
				return
			}
			rest = rest[n:]
			if v&1 == 1 {
				if !a.isOther {
					number(int64(v >> 1))
				}
				continue
			}
			if v>>1 > uint64(len(rest)) {
				return
			}
			if !a.isOther {
				hash(hashOf(a.hash, hashText(string(rest[:v>>1]))))
			}
			rest = rest[v>>1:]
		case pcommon.ValueTypeInt:
			v, n := binary.Varint(rest)
			if n <= 0 {
				return
			}
			rest = rest[n:]
			if !a.isOther {
				hash(hashOf(a.hash, uint64(v)))
			}
		case pcommon.ValueTypeDouble:
			if len(rest) < 8 {
				return
			}
			if !a.isOther {
				hash(hashOf(a.hash, binary.LittleEndian.Uint64(rest)))
			}
			rest = rest[8:]
		case pcommon.ValueTypeBool:
			if len(rest) < 1 {
				return
			}
			if !a.isOther {
				hash(hashOf(a.hash, uint64(rest[0])))
			}
			rest = rest[1:]
		default:
			d := values{rest: rest, text: func(int64) (string, error) { return "", nil }}
			d.value(a.kind, pcommon.NewValueEmpty())
			if d.err != nil {
				return
			}
			rest = d.rest
		}
	}
}

// hashesOf returns the hashes that a value of an attribute, given as text, may have in records of a shape. others says that the value
// may have further hashes.
func (a *attribute) hashesOf(text string) (list []uint64, others bool) {
	switch a.kind {
	case pcommon.ValueTypeStr:
		return []uint64{hashOf(a.hash, hashText(text))}, false
	case pcommon.ValueTypeInt:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return []uint64{hashOf(a.hash, uint64(n))}, false
		}
		return nil, false
	case pcommon.ValueTypeDouble:
		if d, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(d) && d != 0 {
			return []uint64{hashOf(a.hash, math.Float64bits(d))}, false
		}
		return nil, true // there are several NaN, and two zeros
	case pcommon.ValueTypeBool:
		switch text {
		case "true":
			return []uint64{hashOf(a.hash, 1)}, false
		case "false":
			return []uint64{hashOf(a.hash, 0)}, false
		}
		return nil, false
	default:
		return nil, true
	}
}
