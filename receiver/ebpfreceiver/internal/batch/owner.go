// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"strconv"

	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// attributions are the values of ebpf.attribution by the BPF side's number.
var attributions = [...]string{
	common.AttributionSocket:          "socket",
	common.AttributionReceivingSocket: "receiving_socket",
	common.AttributionCgroup:          "cgroup",
	common.AttributionCurrent:         "current",
}

// PutOwner puts the known attributes of a process, and how it was found.
func (e *Event) PutOwner(owner *common.Owner, attribution uint8) {
	if owner.Pid != 0 {
		e.PutInt(string(conventions.ProcessPIDKey), int64(owner.Pid))
		e.PutText(string(conventions.ProcessExecutableNameKey), common.Text(owner.Executable[:]))
		e.PutInt(string(conventions.ProcessUserIDKey), int64(owner.Uid))
		e.PutText(string(conventions.ThreadNameKey), common.Text(owner.Comm[:]))
	}
	if int(attribution) < len(attributions) {
		e.PutStr("ebpf.attribution", attributions[attribution])
	}
}

// PutProcess puts the attributes of a process that did something itself, and its cgroup.
func (e *Event) PutProcess(owner *common.Owner) {
	e.PutOwner(owner, uint8(common.AttributionNone))
	e.PutStr(string(conventions.ProcessLinuxCgroupKey), e.batch.settings.Containers.Path(owner.Cgroup))
}

// AppendOwner appends a process to the text of a body, as in "curl[4242]". An unknown name is "?".
func (b *Batch) AppendOwner(text []byte, owner *common.Owner) []byte {
	if owner.Pid == 0 {
		return append(text, '?')
	}
	text = append(text, b.Names.Get(common.Text(owner.Comm[:]))...)
	text = append(text, '[')
	text = strconv.AppendUint(text, uint64(owner.Pid), 10)
	return append(text, ']')
}
