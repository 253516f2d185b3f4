// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import "slices"

// Loss is how much of a program was lost for one cause.
type Loss struct {
	Program string
	// Cause is a value of ebpf.loss.cause.
	Cause string
	Count uint64
}

// Losses are those of all programs.
type Losses []Loss

// Since returns by how much counters have risen since an earlier reading, nil for the start. Those that have not are left out.
func (l Losses) Since(earlier Losses) (rises Losses) {
	for i, loss := range l {
		loss.Count -= min(loss.Count, earlier.countOf(loss, i))
		if loss.Count > 0 {
			rises = append(rises, loss)
		}
	}
	return rises
}

// countOf returns the count of a program and cause, which is at the given place unless the programs have changed.
func (l Losses) countOf(loss Loss, at int) uint64 {
	is := func(one Loss) bool { return one.Program == loss.Program && one.Cause == loss.Cause }
	if at >= len(l) || !is(l[at]) {
		at = slices.IndexFunc(l, is)
	}
	if at < 0 {
		return 0
	}
	return l[at].Count
}
