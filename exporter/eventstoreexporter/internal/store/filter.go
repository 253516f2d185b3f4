// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

// filter is a Bloom filter that is divided into lines. The bits of a hash are in one line. A line ends with space for its checksum.
type filter []byte

const (
	lineBytes  = 64
	lineText   = 60
	lineHashes = 6
	// filterBytes is the size of a filter before it is folded. It is a power of two.
	filterBytes = 512 << 10
	// bitsPerHash is the minimum number of bits per hash in a folded filter. It gives about 1 % false positives.
	bitsPerHash = 12
)

// lineOf returns the line of a hash. Halving the number of lines merges pairs of them.
func lineOf(hash uint64, lines int) int { return int(hash>>32) & (lines - 1) }

// eachBit calls a function for each bit of a hash in its line, until it returns false.
func eachBit(hash uint64, bit func(at uint64) bool) bool {
	hash *= 0x9e3779b97f4a7c15
	for range lineHashes {
		const of = 9 // bits of the hash
		if !bit(hash >> (64 - of) * (lineText * 8) >> of) {
			return false
		}
		hash <<= of
	}
	return true
}

// add adds a hash and reports whether it is new.
func (f filter) add(hash uint64) (isNew bool) {
	line := f[lineOf(hash, len(f)/lineBytes)*lineBytes:][:lineText]
	eachBit(hash, func(at uint64) bool {
		if mask := byte(1) << (at % 8); line[at/8]&mask == 0 {
			line[at/8] |= mask
			isNew = true
		}
		return true
	})
	return isNew
}

func lineHas(line []byte, hash uint64) bool {
	return eachBit(hash, func(at uint64) bool { return line[at/8]&(1<<(at%8)) != 0 })
}

// fold makes a filter as small as its number of hashes allows.
func (f filter) fold(hashes int) filter {
	for len(f) > lineBytes && len(f)/2*8 >= hashes*bitsPerHash {
		half := len(f) / 2
		for i := range half {
			f[i] |= f[half+i]
		}
		f = f[:half]
	}
	return f
}
