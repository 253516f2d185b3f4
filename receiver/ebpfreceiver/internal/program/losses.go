// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

// Loss is how much of a program was lost for one cause.
type Loss struct {
	Program string
	// Cause is a value of ebpf.loss.cause.
	Cause string
	Count uint64
}

// Losses are those of all programs. Two readings of one set have the same programs and causes in the same order.
type Losses []Loss

// Since returns by how much counters have risen since an earlier reading, nil for the start. Those that have not are left out.
func (l Losses) Since(earlier Losses) (rises Losses) {
	for i, loss := range l {
		if i < len(earlier) {
			loss.Count -= min(loss.Count, earlier[i].Count)
		}
		if loss.Count > 0 {
			rises = append(rises, loss)
		}
	}
	return rises
}
