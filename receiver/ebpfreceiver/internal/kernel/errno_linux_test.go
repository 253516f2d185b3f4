// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"
)

func TestErrorType(t *testing.T) {
	for errno, want := range map[unix.Errno]string{
		0:                  "",
		unix.ECONNREFUSED:  "refused",
		unix.ECONNRESET:    "reset",
		unix.ETIMEDOUT:     "timed_out",
		unix.EHOSTUNREACH:  "host_unreachable",
		unix.ENETUNREACH:   "net_unreachable",
		unix.ECONNABORTED:  "aborted",
		unix.EPIPE:         "epipe",
		unix.EADDRNOTAVAIL: "eaddrnotavail",
		unix.EPERM:         "eperm",
		unix.EAGAIN:        "eagain",
		unix.EOPNOTSUPP:    "eopnotsupp",
		unix.EHWPOISON:     "ehwpoison",
		41:                 "_OTHER", // an unassigned number
		255:                "_OTHER",
		511:                "_OTHER",
		512:                "erestartsys", // the kernel's internal errors start here
		516:                "erestart_restartblock",
		520:                "_OTHER",
		524:                "enotsupp",
		531:                "enograce",
		532:                "_OTHER",
		65535:              "_OTHER",
	} {
		assert.Equal(t, want, ErrorType(uint16(errno)), "errno %d", errno)
	}
	noAllocations(t, func() { ErrorType(uint16(unix.EADDRNOTAVAIL)); ErrorType(65535) })
}
