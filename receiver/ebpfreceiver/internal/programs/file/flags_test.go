// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAppendFlags(t *testing.T) {
	for bits, want := range map[uint32][]string{
		0:                  {"O_RDONLY"},
		1:                  {"O_WRONLY"},
		2:                  {"O_RDWR"},
		3:                  nil, // O_PATH: neither for reading nor for writing
		0o1101:             {"O_WRONLY", "O_CREAT", "O_TRUNC"},
		0o2000000 | 0o2301: {"O_WRONLY", "O_CREAT", "O_EXCL", "O_APPEND"}, // and O_CLOEXEC
		0o10001:            {"O_WRONLY", "O_DSYNC"},
		0o4010001:          {"O_WRONLY", "O_SYNC"},
		0o10000000:         {"O_PATH"},
		0o1004400:          {"O_RDONLY", "O_NOCTTY", "O_NOATIME"},
	} {
		assert.Equal(t, want, appendFlags(nil, bits), "%o", bits)
	}
	of := map[string][4]uint32{ // O_DIRECT, O_DIRECTORY, O_NOFOLLOW, O_LARGEFILE
		"amd64": {0o40000, 0o200000, 0o400000, 0o100000},
		"arm64": {0o200000, 0o40000, 0o100000, 0o400000},
	}[runtime.GOARCH]
	assert.Equal(t, []string{"O_RDONLY", "O_DIRECT"}, appendFlags(nil, of[0]))
	assert.Equal(t, []string{"O_RDONLY", "O_DIRECTORY", "O_NOFOLLOW"}, appendFlags(nil, of[1]|of[2]))
	assert.Equal(t, []string{"O_RDWR", "O_TMPFILE"}, appendFlags(nil, 2|0o20000000|of[1]), "O_TMPFILE includes the bit of O_DIRECTORY")
	assert.Equal(t, []string{"O_RDONLY"}, appendFlags(nil, of[3]), "O_LARGEFILE is always set on 64 bits")
}
