// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"strconv"

	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// attributions are the values of ebpf.attribution by the kernel half's number.
var attributions = [...]string{
	common.AttributionSocket:          "socket",
	common.AttributionReceivingSocket: "receiving_socket",
	common.AttributionCgroup:          "cgroup",
	common.AttributionCurrent:         "current",
}

// PutOwner puts the attributes of a process, as far as it is known, and how it was found.
func (b *Batch) PutOwner(attributes *Attributes, owner *common.Owner, attribution uint8) {
	if owner.Pid != 0 {
		attributes.PutInt(string(conventions.ProcessPIDKey), int64(owner.Pid))
		if name := common.Text(owner.Executable[:]); len(name) > 0 {
			attributes.PutStr(string(conventions.ProcessExecutableNameKey), b.Names.Get(name))
		}
		attributes.PutInt(string(conventions.ProcessUserIDKey), int64(owner.Uid))
		if name := common.Text(owner.Comm[:]); len(name) > 0 {
			attributes.PutStr(string(conventions.ThreadNameKey), b.Names.Get(name))
		}
	}
	if int(attribution) < len(attributions) && attributions[attribution] != "" {
		attributes.PutStr("ebpf.attribution", attributions[attribution])
	}
}

// AppendOwner appends a process to the text of a body, as in "curl[4242]"; "?" stands for one that is not known.
func (b *Batch) AppendOwner(text []byte, owner *common.Owner) []byte {
	if owner.Pid == 0 {
		return append(text, '?')
	}
	text = append(text, b.Names.Get(common.Text(owner.Comm[:]))...)
	text = append(text, '[')
	text = strconv.AppendUint(text, uint64(owner.Pid), 10)
	return append(text, ']')
}
