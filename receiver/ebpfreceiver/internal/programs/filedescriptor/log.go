// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// appendLeak appends the event of a leak. at is the time at which it was found.
func (d *descriptors) appendLeak(b *batch.Batch, l *leak, at pcommon.Timestamp) {
	seconds := l.duration.Seconds()
	event := b.EventAt(at, l.owner.Cgroup, "ebpf.file_descriptor.leak", plog.SeverityNumberWarn)
	event.PutProcess(&l.owner)
	event.PutStr("ebpf.file_descriptor.kind", kindNames[l.kind])
	event.PutInt("ebpf.file_descriptor.count", int64(l.open))
	event.PutInt("ebpf.file_descriptor.leak.growth", int64(l.growth))
	event.PutDouble("ebpf.file_descriptor.leak.duration", seconds)
	if seconds > 0 {
		event.PutDouble("ebpf.file_descriptor.leak.rate", float64(l.growth)/seconds)
	}
	event.End(func(text []byte) []byte { return appendBody(b, text, l) })
}

// appendBody appends the body, such as "java[4242] leaks descriptors: 120 more of kind socket within 300.0 s, 134 open".
func appendBody(b *batch.Batch, text []byte, l *leak) []byte {
	text = append(b.AppendOwner(text, &l.owner), " leaks descriptors: "...)
	text = append(strconv.AppendUint(text, uint64(l.growth), 10), " more of kind "...)
	text = append(append(text, kindNames[l.kind]...), " within "...)
	text = append(batch.AppendDuration(text, uint64(l.duration.Nanoseconds())), ", "...)
	return append(strconv.AppendUint(text, uint64(l.open), 10), " open"...)
}
