// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package listeners

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

const namespace = 4026531840

// reading is what one reading finds of a listener: its drops, and the overflows of its namespace when they last rose.
type reading struct {
	drops     uint32
	overflows uint64
	backlog   uint32
	expected  uint64
}

// readings is what each listener has at one reading, in order.
type readings []reading

// The overflows of a namespace are distributed among its listeners with drops, and none is lost or counted twice.
func TestOverflowsOfListeners(t *testing.T) {
	const limit = 4
	tests := map[string][]readings{
		"one listener": {
			{{drops: 3, overflows: 3, expected: 3}},
			{{drops: 3, overflows: 3, expected: 0}},
			{{drops: 5, overflows: 5, expected: 2}},
		},
		"drops for other reasons": {
			{{drops: 10, overflows: 4, expected: 4}},
			{{drops: 20, overflows: 4, expected: 0}},
		},
		"the kernel has counted overflows but not yet their drops": {
			{{drops: 3, overflows: 5, expected: 3}},
			{{drops: 6, overflows: 6, expected: 3}},
		},
		"overflows of a listener that is not known are not those of another one later": {
			{{drops: 1, overflows: 6, expected: 1}},
			{{drops: 1, overflows: 6, expected: 0}},
			{{drops: 4, overflows: 6, expected: 0}},
		},
		"a full queue has them before others that have dropped something": {
			{{drops: 4, overflows: 4, backlog: limit + 1, expected: 4}, {drops: 7}},
		},
		"two queues share them by their drops": {
			{{drops: 6, overflows: 2, expected: 3}, {drops: 2, overflows: 4, expected: 1}},
		},
	}
	for name, all := range tests {
		t.Run(name, func(t *testing.T) {
			r := &Reader{}
			for n, reading := range all {
				var found []*Listener
				for i, one := range reading {
					found = append(found, &Listener{Listening: common.Listening{
						Socket: uint64(i) + 1, Since: 1, Port: common.CommonPort{Netns: namespace},
						Drops: one.drops, Overflows: one.overflows, Backlog: one.backlog, Limit: limit,
					}})
				}
				r.count(found)
				for i, one := range reading {
					assert.Equal(t, one.expected, found[i].New, "listener %d at reading %d", i, n)
				}
			}
		})
	}
}
