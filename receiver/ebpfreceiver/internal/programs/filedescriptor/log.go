// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// appendLeak appends the event of a leak that was found at a time.
func (d *descriptors) appendLeak(b *batch.Batch, l *leak, at pcommon.Timestamp) {
	seconds := l.duration.Seconds()
	lr := b.AppendAt(at, l.owner.Cgroup, "ebpf.file_descriptor.leak", plog.SeverityNumberWarn)
	attributes := b.Attributes(10)
	b.PutOwner(attributes, &l.owner, uint8(common.AttributionNone))
	if path := d.host.Containers.Path(l.owner.Cgroup); path != "" {
		attributes.PutStr(string(conventions.ProcessLinuxCgroupKey), path)
	}
	attributes.PutStr("ebpf.file_descriptor.kind", kindNames[l.kind])
	attributes.PutInt("ebpf.file_descriptor.count", int64(l.open))
	attributes.PutInt("ebpf.file_descriptor.leak.growth", int64(l.growth))
	attributes.PutDouble("ebpf.file_descriptor.leak.duration", seconds)
	if seconds > 0 {
		attributes.PutDouble("ebpf.file_descriptor.leak.rate", float64(l.growth)/seconds)
	}
	attributes.MoveTo(lr.Attributes())
	if b.HasBody() {
		b.Text = appendBody(b, b.Text[:0], l)
		lr.Body().SetStr(string(b.Text))
	}
}

// appendBody appends the body, such as "java[4242] leaks descriptors: 120 more of kind socket within 300.0 s, 134 open".
func appendBody(b *batch.Batch, text []byte, l *leak) []byte {
	text = append(b.AppendOwner(text, &l.owner), " leaks descriptors: "...)
	text = append(strconv.AppendUint(text, uint64(l.growth), 10), " more of kind "...)
	text = append(append(text, kindNames[l.kind]...), " within "...)
	text = append(batch.AppendDuration(text, uint64(l.duration.Nanoseconds())), ", "...)
	return append(strconv.AppendUint(text, uint64(l.open), 10), " open"...)
}
