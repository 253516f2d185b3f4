// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

// EventBits returns a bit for each event that is wanted.
func EventBits[E ~uint32](wanted map[E]bool) (bits uint32) {
	for event, want := range wanted {
		if want {
			bits |= 1 << event
		}
	}
	return bits
}
