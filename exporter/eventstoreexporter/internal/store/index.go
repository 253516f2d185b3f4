// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"slices"
	"sync"
)

// blockSize is the number of records of a block. A query reads whole blocks.
const blockSize = 256

// index has, for the values of a file, the records or blocks in which they occur. It takes a few bytes per record.
type index struct {
	mu    sync.RWMutex
	first int64 // the sequence number that block 0 begins with
	// rare has the records of rare values, and the first records of the others.
	rare rare
	// postings have the blocks of the others.
	postings map[int64]posting
	// types are the values of the column type.
	types  []int64
	blocks []block
	// blooms has a filter per block.
	blooms []byte
	// values is the filter that the digest of the file gets, with the hashes added by note.
	values filter
	noted  int
	// severities has a bit for each severity that occurs.
	severities uint32
	// lastBlocks has, by the number of a string, the last block (plus one) in which an attribute without a column has this string.
	lastBlocks []uint32
}

// posting is a list of blocks, in their order.
type posting struct {
	first, last uint32
	// more are the following ones, each as the difference to the one before.
	more []byte
}

// block has the times of its records.
type block struct {
	number           uint32
	earliest, latest int64
}

// appendBlocks appends the times of blocks, which are numbered from 0 on.
func appendBlocks(to []byte, blocks []block) []byte {
	for i := range blocks {
		to = binary.LittleEndian.AppendUint64(to, uint64(blocks[i].earliest))
		to = binary.LittleEndian.AppendUint64(to, uint64(blocks[i].latest))
	}
	return to
}

func parseBlocks(text []byte) ([]block, error) {
	const size = 16
	if len(text)%size != 0 {
		return nil, errValue
	}
	blocks := make([]block, len(text)/size)
	for i := range blocks {
		of := text[i*size:]
		blocks[i] = block{uint32(i), int64(binary.LittleEndian.Uint64(of)), int64(binary.LittleEndian.Uint64(of[8:]))}
	}
	return blocks, nil
}

func newIndex(first int64) *index {
	return &index{first: first, postings: map[int64]posting{}, values: make(filter, filterBytes)}
}

// postingKey is a column and a value of it. A large value is shortened, so that several values may share a key. The query compares
// the values of the records.
func postingKey(column int, value int64) int64 {
	return int64(column)<<postingBits | value&(1<<postingBits-1)
}

// postingBits is how many bits of the value a key has.
const postingBits = 56

// isIndexed reports whether a column is part of the index.
func isIndexed(column int) bool { return column != columnTime }

// isPosted reports whether a column has few values, so that each has a list of blocks.
func isPosted(column int) bool {
	return column == columnType || column == columnSeverity || column == columnShape || column == columnOrigin
}

// hashOfPlace is the hash of a value of a column, as the column has it.
func hashOfPlace(column int, value int64) uint64 { return hashOf(uint64(column), uint64(value)) }

// columnAny stands for all attributes that are not columns, and has the strings in them.
const columnAny = columns

// add adds the next record.
func (x *index) add(r *record, s *shape, t *tables) {
	record := uint32(r.sequence - x.first)
	number := record / blockSize
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
		isRare, isNew := x.rare.add(hashOfPlace(column, value), record), false
		if !isRare || isPosted(column) {
			isNew = x.post(postingKey(column, value), number)
		}
		if isNew && column == columnType {
			x.types = append(x.types, value)
		}
		if (isRare || isNew) && !isPosted(column) {
			x.note(digestHash(column, value, t))
		}
	}
	filter := x.blooms[int(number)*bloomBytes:][:bloomBytes]
	s.each(r.rest, func(id int64) {
		if x.rare.add(hashOfPlace(columnAny, id), record) {
			x.note(digestHash(columnAny, id, t))
			return
		}
		for int(id) >= len(x.lastBlocks) {
			x.lastBlocks = append(x.lastBlocks, 0)
		}
		if x.lastBlocks[id] != number+1 {
			x.lastBlocks[id] = number + 1
			if x.post(postingKey(columnAny, id), number) {
				x.note(digestHash(columnAny, id, t))
			}
		}
	}, func(hash uint64) {
		x.note(hash)
		if !x.rare.add(hash, record) {
			bloomAdd(filter, hash)
		}
	})
	if severity := r.values[columnSeverity]; r.isSet(columnSeverity) && severity >= 0 && severity <= maxSeverity {
		x.severities |= 1 << severity
	}
}

// note adds a hash to the filter of the digest.
func (x *index) note(hash uint64) {
	if x.values.add(hash) {
		x.noted++
	}
}

// post adds a block to a list and reports whether the list is new.
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

// bytes returns a list as the table postings has it.
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

// posted returns the blocks of a value of a column that are not among the rare ones.
func (x *index) posted(column int, value int64) ([]uint32, error) {
	x.mu.RLock()
	p, ok := x.postings[postingKey(column, value)]
	x.mu.RUnlock()
	if !ok {
		return nil, nil
	}
	return parsePosting(p.bytes())
}

// rarely returns the records of a value in the index of rare values, and whether others may have the value.
func (x *index) rarely(hash uint64) ([]uint32, bool, error) { //nolint:unparam // it is one of lookups
	x.mu.RLock()
	parts := slices.Clone(x.rare.parts) // parts only grow
	more := x.rare.seen[slotOf(hash)] > rareRecords
	x.mu.RUnlock()
	return findRare(parts, hash), more, nil
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
