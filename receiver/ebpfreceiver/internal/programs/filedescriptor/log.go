// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"fmt"
	"strconv"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// AppendLog implements program.Program.
func (d *descriptors) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.FileDescriptorEvent](raw)
	if !ok {
		return fmt.Errorf("file_descriptor record of %d bytes is too short", len(raw))
	}
	if bpf.FileDescriptorEventId(e.Record.Event) != bpf.FileDescriptorEventIdEVENT_LEAK {
		return fmt.Errorf("file_descriptor record of unknown event %d", e.Record.Event)
	}
	leak, owner := &e.Leak, common.OwnerOf(&e.Leak.Owner)
	seconds := float64(leak.Duration) / 1e9
	lr := b.Append(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.file_descriptor.leak", plog.SeverityNumberWarn)
	attributes := b.Attributes(10)
	b.PutOwner(attributes, owner, uint8(common.AttributionNone))
	if path := d.host.Containers.Path(owner.Cgroup); path != "" {
		attributes.PutStr(string(conventions.ProcessLinuxCgroupKey), path)
	}
	attributes.PutStr("ebpf.file_descriptor.kind", kindName(leak.Kind))
	attributes.PutInt("ebpf.file_descriptor.count", int64(leak.Open))
	attributes.PutInt("ebpf.file_descriptor.leak.growth", int64(leak.Growth))
	attributes.PutDouble("ebpf.file_descriptor.leak.duration", seconds)
	if seconds > 0 {
		attributes.PutDouble("ebpf.file_descriptor.leak.rate", float64(leak.Growth)/seconds)
	}
	attributes.MoveTo(lr.Attributes())
	if b.HasBody() {
		b.Text = appendBody(b, b.Text[:0], leak)
		lr.Body().SetStr(string(b.Text))
	}
	return nil
}

// appendBody appends the line for people, such as "java[4242] leaks descriptors: 120 more of kind socket within 300.0 s,
// 134 open".
func appendBody(b *batch.Batch, text []byte, leak *bpf.FileDescriptorLeak) []byte {
	text = append(b.AppendOwner(text, common.OwnerOf(&leak.Owner)), " leaks descriptors: "...)
	text = append(strconv.AppendUint(text, leak.Growth, 10), " more of kind "...)
	text = append(append(text, kindName(leak.Kind)...), " within "...)
	text = append(batch.AppendDuration(text, leak.Duration), ", "...)
	return append(strconv.AppendUint(text, uint64(leak.Open), 10), " open"...)
}
