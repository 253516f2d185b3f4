// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func TestOperationNames(t *testing.T) {
	n := namesOf(programtest.BTF(t, 4))
	for number, want := range map[uint8]struct{ name, direction string }{
		programtest.DiskRead:       {"read", "read"},
		programtest.DiskWrite:      {"write", "write"},
		programtest.DiskFlush:      {"flush", ""},
		programtest.DiskDiscard:    {"discard", ""},
		programtest.DiskZoneAppend: {"zone_append", "write"},
		99:                         {"99", ""}, // newer than the types
	} {
		assert.Equal(t, want.name, n.operation(number))
		assert.Equal(t, want.direction, direction(want.name))
	}
	assert.Equal(t, "0", namesOf(programtest.BTF(t, 2)).operation(0), "types without the enumeration")
}

func TestErrorType(t *testing.T) {
	for number, want := range map[uint16]string{
		0:              "",
		5:              "eio", // before Linux 5.16
		110:            "timed_out",
		isStatus | 1:   "eopnotsupp",
		isStatus | 2:   "timed_out",
		isStatus | 3:   "enospc",
		isStatus | 4:   "enolink",
		isStatus | 5:   "eremoteio",
		isStatus | 6:   "ebade",
		isStatus | 7:   "enodata",
		isStatus | 8:   "eilseq",
		isStatus | 9:   "enomem",
		isStatus | 10:  "eio",
		isStatus | 11:  "eremchg",
		isStatus | 12:  "eagain",
		isStatus | 13:  "ebusy",
		isStatus | 14:  "_OTHER", // the number differs from kernel to kernel
		isStatus | 255: "_OTHER",
		65535:          "_OTHER",
	} {
		assert.Equal(t, want, errorType(number), "%#x", number)
	}
}
