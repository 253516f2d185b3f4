// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"6.1.192-2", "6.1.192-2", 0},
		{"6.1.192-2", "6.1.192-10", -1},
		{"6.1.99-1", "6.1.192-1", -1},
		{"6.12.117-1~deb12u1", "6.12.117-1", -1},
		{"6.12.117-1~deb12u1", "6.12.116-1", 1},
		{"6.12.95-1~bpo12+1", "6.12.95-1~bpo12+2", -1},
		{"6.12.95-1~bpo12+1", "6.12.95-1", -1},
		{"1:1.0-1", "2.0-1", 1},
		{"1.0", "1.0-0", 0},
		{"1.0", "1.0-1", -1},
		{"7.0~rc3-1", "7.0-1", -1},
		{"7.0a-1", "7.0+1-1", -1},
		{"007-1", "7-1", 0},
	} {
		t.Run(c.a+" "+c.b, func(t *testing.T) {
			assert.Equal(t, c.want, sign(Compare(c.a, c.b)))
			assert.Equal(t, -c.want, sign(Compare(c.b, c.a)))
		})
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
