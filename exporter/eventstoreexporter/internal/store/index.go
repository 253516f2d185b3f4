// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"slices"
	"sync"
)

// blockSize is how many records a block has. A query reads whole blocks.
const blockSize = 256

// index says in which blocks of a file the values of columns occur. It takes a few bytes per record, and is as good for a value
// that never occurs as for one that always does.
type index struct {
	mu       sync.RWMutex
	first    int64 // the sequence number that block 0 begins with
	postings map[int64]posting
	// types are the values of the column type.
	types  []int64
	blocks []block
	// blooms has a filter per block.
	blooms []byte
	// values is a filter of what the digest of the file has, with noted hashes.
	values filter
	noted  int
	// severities has a bit for each.
	severities uint32
	// lastBlocks is the last block, plus one, in which the string of a number occurs in an attribute that is no column.
	lastBlocks []uint32
}

// posting is a list of blocks, in their order.
type posting struct {
	first, last uint32
	// more are the differences of the further ones.
	more []byte
}

// block is the times of its records.
type block struct {
	number           uint32
	earliest, latest int64
}

func newIndex(first int64) *index {
	return &index{first: first, postings: map[int64]posting{}, values: make(filter, filterBytes)}
}

// postingKey is a column and a value of it. Of a large value, some bits are missing: it may stand for another one as well, which
// the query then finds out.
func postingKey(column int, value int64) int64 {
	return int64(column)<<postingBits | value&(1<<postingBits-1)
}

// postingBits is how many bits of the value a key has.
const postingBits = 56

// isIndexed is whether a column is part of the index.
func isIndexed(column int) bool { return column != columnTime }

// columnAny stands for the attributes that are no columns: which strings occur in them.
const columnAny = columns

// add adds records, which follow one another.
func (x *index) add(r *record, s *shape) {
	number := uint32((r.sequence - x.first) / blockSize)
	at := r.values[columnTime]
	if int(number) >= len(x.blocks) {
		x.blocks = append(x.blocks, block{number, at, at})
		x.blooms = append(x.blooms, make([]byte, bloomBytes)...)
	} else {
		b := &x.blocks[number]
		b.earliest, b.latest = min(b.earliest, at), max(b.latest, at)
	}
	for column, value := range r.values {
		if !r.isSet(column) || !isIndexed(column) {
			continue
		}
		if isNew := x.post(postingKey(column, value), number); isNew && column == columnType {
			x.types = append(x.types, value)
		}
	}
	filter := x.blooms[int(number)*bloomBytes:][:bloomBytes]
	s.each(r.rest, func(id int64) {
		for int(id) >= len(x.lastBlocks) {
			x.lastBlocks = append(x.lastBlocks, 0)
		}
		if x.lastBlocks[id] != number+1 {
			x.lastBlocks[id] = number + 1
			x.post(postingKey(columnAny, id), number)
		}
	}, func(hash uint64) {
		bloomAdd(filter, hash)
		x.note(hash)
	})
	if severity := r.values[columnSeverity]; r.isSet(columnSeverity) && severity >= 0 && severity <= maxSeverity {
		x.severities |= 1 << severity
	}
}

// note adds a hash to what the digest has.
func (x *index) note(hash uint64) {
	if x.values.add(hash) {
		x.noted++
	}
}

// post adds a block to a list. It says whether the list is new.
func (x *index) post(key int64, number uint32) bool {
	p, ok := x.postings[key]
	switch {
	case !ok:
		p = posting{first: number, last: number}
	case p.last == number:
		return false
	default:
		p.more = binary.AppendUvarint(p.more, uint64(number-p.last))
		p.last = number
	}
	x.postings[key] = p
	return !ok
}

// bytes is what the table postings has of a list.
func (p posting) bytes() []byte {
	return append(binary.AppendUvarint(nil, uint64(p.first)), p.more...)
}

// parsePosting reads what bytes has written.
func parsePosting(text []byte) ([]uint32, error) {
	var list []uint32
	last := uint64(0)
	for len(text) > 0 {
		difference, n := binary.Uvarint(text)
		if n <= 0 {
			return nil, errValue
		}
		text = text[n:]
		last += difference
		list = append(list, uint32(last))
	}
	return list, nil
}

// lookup returns the blocks that a value of a column occurs in.
func (x *index) lookup(column int, value int64) ([]uint32, error) {
	x.mu.RLock()
	p, ok := x.postings[postingKey(column, value)]
	x.mu.RUnlock()
	if !ok {
		return nil, nil
	}
	return parsePosting(p.bytes())
}

// allTypes returns the values of the column type.
func (x *index) allTypes() ([]int64, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.types), nil
}

func (x *index) allBlooms() ([]byte, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.blooms), nil
}

func (x *index) allBlocks() ([]block, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.blocks), nil
}

// union returns what is in one of two lists, intersection what is in both.
func union(a, b []uint32) []uint32 {
	if len(a) == 0 {
		return b
	}
	list := append(slices.Clone(a), b...)
	slices.Sort(list)
	return slices.Compact(list)
}

func intersection(a, b []uint32) []uint32 {
	var list []uint32
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			list = append(list, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return list
}
