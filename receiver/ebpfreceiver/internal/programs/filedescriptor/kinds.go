// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"

const kinds = int(bpf.FileDescriptorKindKINDS)

// kindNames are the values of ebpf.file_descriptor.kind by the BPF side's number.
var kindNames = [kinds]string{
	bpf.FileDescriptorKindKIND_OTHER:      "other",
	bpf.FileDescriptorKindKIND_FILE:       "file",
	bpf.FileDescriptorKindKIND_DIRECTORY:  "directory",
	bpf.FileDescriptorKindKIND_DEVICE:     "device",
	bpf.FileDescriptorKindKIND_SOCKET:     "socket",
	bpf.FileDescriptorKindKIND_PIPE:       "pipe",
	bpf.FileDescriptorKindKIND_EPOLL:      "epoll",
	bpf.FileDescriptorKindKIND_EVENTFD:    "eventfd",
	bpf.FileDescriptorKindKIND_TIMERFD:    "timerfd",
	bpf.FileDescriptorKindKIND_SIGNALFD:   "signalfd",
	bpf.FileDescriptorKindKIND_INOTIFY:    "inotify",
	bpf.FileDescriptorKindKIND_PIDFD:      "pidfd",
	bpf.FileDescriptorKindKIND_IO_URING:   "io_uring",
	bpf.FileDescriptorKindKIND_BPF:        "bpf",
	bpf.FileDescriptorKindKIND_PERF_EVENT: "perf_event",
}

// kindName returns the name of a kind. It does not fail for a kind of a newer BPF side.
func kindName(kind uint32) string {
	if int(kind) < kinds {
		return kindNames[kind]
	}
	return kindNames[bpf.FileDescriptorKindKIND_OTHER]
}

// operationName returns ebpf.file_descriptor.operation.
func operationName(operation uint32) string {
	if operation == opened {
		return "open"
	}
	return "close"
}
