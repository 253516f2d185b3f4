// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"strconv"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// names are this kernel's names of operations, such as read, write, flush and discard. Their numbers differ from kernel
// to kernel.
type names struct{ operations map[uint64]string }

func namesOf(types *kernel.BTF) names {
	operations := types.EnumNames("req_op", "REQ_OP_")
	if len(operations) == 0 { // before Linux 6.0
		operations = types.EnumNames("req_opf", "REQ_OP_")
	}
	return names{operations}
}

// operation returns ebpf.disk.operation.type: the name of an operation, or its number in decimal if it has none.
func (n names) operation(number uint8) string {
	if name := n.operations[uint64(number)]; name != "" {
		return name
	}
	return strconv.Itoa(int(number))
}

// direction returns disk.io.direction of an operation that moves data to or from the disk, "" for others.
func direction(operation string) string {
	switch operation {
	case "read":
		return "read"
	case "write", "zone_append":
		return "write"
	default:
		return ""
	}
}

// isStatus is a bit of an error from the BPF side: it is a blk_status_t and not an errno (Linux 5.16).
const isStatus = 1 << 8

// statuses are errnos by blk_status_t: only those that are the same in all kernels since 5.16.
var statuses = [...]uint16{
	1:  95,  // BLK_STS_NOTSUPP: EOPNOTSUPP
	2:  110, // BLK_STS_TIMEOUT: ETIMEDOUT
	3:  28,  // BLK_STS_NOSPC: ENOSPC
	4:  67,  // BLK_STS_TRANSPORT: ENOLINK
	5:  121, // BLK_STS_TARGET: EREMOTEIO
	6:  52,  // BLK_STS_RESV_CONFLICT: EBADE
	7:  61,  // BLK_STS_MEDIUM: ENODATA
	8:  84,  // BLK_STS_PROTECTION: EILSEQ
	9:  12,  // BLK_STS_RESOURCE: ENOMEM
	10: 5,   // BLK_STS_IOERR: EIO
	11: 78,  // BLK_STS_DM_REQUEUE: EREMCHG
	12: 11,  // BLK_STS_AGAIN: EAGAIN
	13: 16,  // BLK_STS_DEV_RESOURCE: EBUSY
}

// errorType returns error.type for an error from the BPF side, "" if there is none.
func errorType(number uint16) string {
	if number < isStatus {
		return kernel.ErrorType(number)
	}
	if number -= isStatus; int(number) < len(statuses) {
		return kernel.ErrorType(statuses[number])
	}
	return "_OTHER"
}
