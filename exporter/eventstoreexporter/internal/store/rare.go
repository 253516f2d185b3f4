// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"slices"
)

// rare says in which records the values are that occur in few of a file. A question for one then reads these records, where blocks
// would make it read hundreds for each. Values are hashes, so that those of all columns and attributes are alike. The first records of
// each value are here, the further ones of those that have many in the postings and in the filters of blocks.
type rare struct {
	// seen has a number of records for each slot, which is a part of the hash. Above rareRecords, there are others that are not here.
	seen [rareSlots]uint8
	// parts have the records: the upper bits of the hash, and the number of the record in the lower ones.
	parts [][]uint64
	count int
}

const (
	rareSlots   = 1 << 16
	rareRecords = 32
	// maxRare bounds the memory to 5 MiB. What is over is found as values are that are not rare.
	maxRare  = 20 * rarePart
	rarePart = 32 << 10
	// recordBits are those of the number of a record.
	recordBits = 24
	// bucketRecords is how many records a row of the file has at most on average.
	bucketRecords = 256
)

func slotOf(hash uint64) int { return int(hash >> 48) }

// add adds a record that has a value. It says whether it did; if not, the record has to be found in another way.
func (x *rare) add(hash uint64, record uint32) bool {
	seen := &x.seen[slotOf(hash)]
	if *seen >= rareRecords || x.count >= maxRare || record >= 1<<recordBits {
		*seen = rareRecords + 1
		return false
	}
	*seen++
	if x.count%rarePart == 0 {
		x.parts = append(x.parts, make([]uint64, 0, rarePart))
	}
	last := &x.parts[len(x.parts)-1]
	*last = append(*last, hash&^(1<<recordBits-1)|uint64(record))
	x.count++
	return true
}

// findRare returns the records that may have a value.
func findRare(parts [][]uint64, hash uint64) (records []uint32) {
	for _, part := range parts {
		for _, one := range part {
			if one>>recordBits == hash>>recordBits {
				records = append(records, uint32(one&(1<<recordBits-1)))
			}
		}
	}
	return slices.Compact(records) // one may have the same text twice
}

// rareHead is what is needed to find a value in a file: into how many buckets the hashes are divided, and in which slots there may be
// others.
type rareHead struct {
	bits uint
	more []byte
}

func (x *rare) head() rareHead {
	h := rareHead{more: make([]byte, rareSlots/8)}
	for x.count>>h.bits > bucketRecords {
		h.bits++
	}
	for slot, seen := range &x.seen {
		if seen > rareRecords {
			h.more[slot/8] |= 1 << (slot % 8)
		}
	}
	return h
}

func (h *rareHead) bytes() []byte { return append([]byte{byte(h.bits)}, h.more...) }

func parseRareHead(text []byte) (rareHead, error) {
	if len(text) != 1+rareSlots/8 || text[0] > 16 {
		return rareHead{}, errValue
	}
	return rareHead{uint(text[0]), text[1:]}, nil
}

// bucket is the row that has the records of a hash.
func (h *rareHead) bucket(hash uint64) int64 { return int64(hash >> 32 >> (32 - h.bits)) }

// hasMore is whether records with a hash may be elsewhere.
func (h *rareHead) hasMore(hash uint64) bool {
	slot := slotOf(hash)
	return h.more[slot/8]&(1<<(slot%8)) != 0
}

// tag is the part of a hash that a row has: those of a bucket are alike in the bits before.
func tag(hash uint64) uint16 { return uint16(hash >> recordBits) }

// rows calls a function for each bucket that has records.
func (x *rare) rows(h rareHead, row func(bucket int64, records []byte) error) error {
	ends := make([]int, 1<<h.bits+1)
	for _, part := range x.parts {
		for _, one := range part {
			ends[h.bucket(one)+1]++
		}
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	sorted := make([]uint64, x.count)
	next := slices.Clone(ends)
	for _, part := range x.parts {
		for _, one := range part {
			to := &next[h.bucket(one)]
			sorted[*to] = one
			*to++
		}
	}
	var text []byte
	for bucket := range len(ends) - 1 {
		list := sorted[ends[bucket]:ends[bucket+1]]
		if len(list) == 0 {
			continue
		}
		text = text[:0]
		last := uint64(0)
		for _, one := range list { // in the order of the records
			record := one & (1<<recordBits - 1)
			text = binary.LittleEndian.AppendUint16(text, tag(one))
			text = binary.AppendUvarint(text, record-last)
			last = record
		}
		if err := row(int64(bucket), text); err != nil {
			return err
		}
	}
	return nil
}

// parseRare returns the records of a row that may have a hash.
func parseRare(text []byte, hash uint64) (records []uint32, err error) {
	want, last := tag(hash), uint64(0)
	for len(text) > 0 {
		if len(text) < 3 {
			return nil, errValue
		}
		got := binary.LittleEndian.Uint16(text)
		difference, n := binary.Uvarint(text[2:])
		if n <= 0 {
			return nil, errValue
		}
		text = text[2+n:]
		if last += difference; got == want {
			records = append(records, uint32(last))
		}
	}
	return slices.Compact(records), nil
}
