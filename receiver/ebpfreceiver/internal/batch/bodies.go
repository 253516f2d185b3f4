// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import "strings"

// blockSize is the memory that is allocated for bodies at once.
const blockSize = 8 << 10

// bodies makes strings of bodies. Those that follow each other share a block of memory, which is freed with the last of them: an
// allocation for each would be one more thing for the garbage collector.
type bodies struct{ block strings.Builder }

func (b *bodies) add(text []byte) string {
	if b.block.Cap()-b.block.Len() < len(text) {
		b.block.Reset()
		b.block.Grow(max(blockSize, len(text)))
	}
	start := b.block.Len()
	b.block.Write(text)
	return b.block.String()[start:]
}
