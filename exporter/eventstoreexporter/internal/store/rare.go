// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"slices"
)

// rare is the index of rare values: it has the single records of a value that occurs in few records of a file. A query for such a value
// reads these records, instead of whole blocks of hundreds of records. Values are hashes, so that the values of all columns and
// attributes are stored alike. Of a frequent value, rare has the first records only; the others are in the postings and in the filters
// of blocks.
type rare struct {
	// seen counts records by slot, which is a part of the hash. Above rareRecords, a slot has records that are not in parts.
	seen [rareSlots]uint8
	// parts have an element per record: the upper bits are those of the hash, the lower ones the number of the record.
	parts [][]uint64
	count int
}

const (
	rareSlots   = 1 << 16
	rareRecords = 32
	// maxRare bounds the memory to 5 MiB. Values that find no room are found as frequent values are.
	maxRare  = 20 * rarePart
	rarePart = 32 << 10
	// recordBits is the number of bits of a record number.
	recordBits = 24
	// bucketRecords is the average number of records per row of the table, at most.
	bucketRecords = 256
)

func slotOf(hash uint64) int { return int(hash >> 48) }

// add adds a record with a value. It reports false if there is no room; the postings and filters then have to have the record.
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
	return slices.Compact(records) // a record may have the same text twice
}

// rareHead is what a query needs to find a value in the table rare: the number of buckets that the hashes are divided into, and the
// slots that have more records than the table.
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

// hasMore reports whether records with a hash may be missing in the table.
func (h *rareHead) hasMore(hash uint64) bool {
	slot := slotOf(hash)
	return h.more[slot/8]&(1<<(slot%8)) != 0
}

// tag is the part of a hash that is stored in a row. The bits before it are the same in the whole bucket.
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
