// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import "slices"

// places are the blocks and the single records in which a value may occur. Both are sorted numbers; records are numbered from the first
// one of the file.
type places struct {
	blocks, records []uint32
}

// or returns the union.
func (p places) or(q places) places {
	return places{union(p.blocks, q.blocks), union(p.records, q.records)}
}

// and returns the intersection.
func (p places) and(q places) places {
	both := places{blocks: intersection(p.blocks, q.blocks)}
	for _, of := range [...][2]places{{p, q}, {q, p}} {
		for _, record := range of[0].records {
			if of[1].has(record) {
				both.records = append(both.records, record)
			}
		}
	}
	slices.Sort(both.records)
	both.records = slices.Compact(both.records)
	return both
}

func (p places) has(record uint32) bool {
	_, ok := slices.BinarySearch(p.records, record)
	return ok || p.hasBlock(record/blockSize)
}

func (p places) hasBlock(number uint32) bool {
	_, ok := slices.BinarySearch(p.blocks, number)
	return ok
}

// part is a block, or some of its records.
type part struct {
	block
	// records are those of the block, nil for all.
	records []uint32
}

// parts returns the blocks and the parts of blocks in the places, in order.
func (p places) parts(blocks []block) []part {
	var list []part
	records := p.records
	for _, b := range blocks {
		rest := slices.IndexFunc(records, func(record uint32) bool { return record/blockSize > b.number })
		if rest < 0 {
			rest = len(records)
		}
		switch mine := records[:rest:rest]; {
		case p.hasBlock(b.number):
			list = append(list, part{block: b})
		case len(mine) > 0:
			list = append(list, part{b, mine})
		}
		records = records[rest:]
	}
	return list
}

// union and intersection are those of two sorted lists.
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
