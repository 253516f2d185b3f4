// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"strconv"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// names are this kernel's names of operations, such as read, write, flush and discard; their numbers differ from kernel to
// kernel.
type names struct{ operations map[uint64]string }

func namesOf(types *kernel.BTF) names {
	operations := types.EnumNames("req_op", "REQ_OP_")
	if len(operations) == 0 { // before Linux 6.0
		operations = types.EnumNames("req_opf", "REQ_OP_")
	}
	return names{operations}
}

// operation returns ebpf.disk.operation.type: the name of an operation, in decimal if it has none.
func (n names) operation(number uint8) string {
	if name := n.operations[uint64(number)]; name != "" {
		return name
	}
	return strconv.Itoa(int(number))
}

// direction returns disk.io.direction of an operation that moves data to or from the disk, "" of others.
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

// isStatus is set in an error of the BPF side that is a blk_status_t and no errno (Linux 5.16).
const isStatus = 1 << 8

// statuses are the numbers of Linux's errors by blk_status_t, as far as all kernels that have that agree.
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

// errorType returns error.type of an error of the BPF side, "" if there is none.
func errorType(number uint16) string {
	if number < isStatus {
		return kernel.ErrorType(number)
	}
	if number -= isStatus; int(number) < len(statuses) {
		return kernel.ErrorType(statuses[number])
	}
	return "_OTHER"
}
