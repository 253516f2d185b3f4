// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBodiesStayAsTheyWere(t *testing.T) {
	var b bodies
	text := bytes.Repeat([]byte("x"), 1000)
	var all []string
	for i := range byte(3 * blockSize / 1000) {
		text[0] = '0' + i
		all = append(all, b.add(text))
	}
	for i, body := range all {
		assert.Equal(t, string(rune('0'+i))+strings.Repeat("x", 999), body)
	}
	assert.Empty(t, b.add(nil))
	long := strings.Repeat("y", 2*blockSize)
	assert.Equal(t, long, b.add([]byte(long)), "longer than a block")
	assert.Equal(t, "z", b.add([]byte("z")))
}

func TestBodiesShareAllocations(t *testing.T) {
	var b bodies
	text := []byte("curl[4242] → 10.0.0.5:443 tcp connected after 1.2 ms")
	assert.Less(t, testing.AllocsPerRun(100, func() {
		for range 100 {
			b.add(text)
		}
	}), 2.0)
}
