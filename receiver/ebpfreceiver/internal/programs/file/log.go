// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"fmt"
	"strings"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// AppendLog implements program.Program.
func (f *files) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.FileEvent](raw)
	if !ok {
		return fmt.Errorf("file record of %d bytes is shorter than an event", len(raw))
	}
	text := raw[unsafe.Sizeof(*e):]
	if int(e.Length) > len(text) || int(e.Base) > int(e.Length) || e.Root > e.Base {
		return fmt.Errorf("file record of %d bytes is too short for a path of %d, %d of them a directory's and %d a root's", len(raw), e.Length, e.Base, e.Root)
	}
	text = text[:e.Length]
	f.path = f.path[:0]
	if len(text) > 0 {
		f.path = appendPath(f.path, text[:e.Base], text[e.Base:], int(e.Root))
	}
	switch id := bpf.FileEventId(e.Record.Event); {
	case id == bpf.FileEventIdEVENT_DELETE && int(e.Operation) < len(kinds):
		f.appendDeletion(b, e)
	case id == bpf.FileEventIdEVENT_OPEN && e.Operation == opened:
		f.appendOpen(b, e)
	default:
		return fmt.Errorf("file record of unknown event %d for operation %d", e.Record.Event, e.Operation)
	}
	return nil
}

func (f *files) appendDeletion(b *batch.Batch, e *bpf.FileEvent) {
	lr, attributes, path := f.begin(b, e, "ebpf.file.delete")
	attributes.PutStr("ebpf.file.deletion.kind", kinds[e.Operation])
	if e.Uncertain != 0 {
		attributes.PutBool("ebpf.file.deletion.uncertain", true)
	}
	f.end(b, lr, attributes, e)
	if b.HasBody() {
		b.Text = appendDeletionBody(b, b.Text[:0], e, path)
		lr.Body().SetStr(string(b.Text))
	}
}

func (f *files) appendOpen(b *batch.Batch, e *bpf.FileEvent) {
	lr, attributes, path := f.begin(b, e, "ebpf.file.open")
	var room [16]string
	attributes.PutStrings("ebpf.file.open.flags", appendFlags(room[:0], e.Flags))
	f.end(b, lr, attributes, e)
	if b.HasBody() {
		b.Text = appendOpenBody(b, b.Text[:0], e, path)
		lr.Body().SetStr(string(b.Text))
	}
}

// begin begins a log record with the attributes that tell the file, and returns its path.
func (f *files) begin(b *batch.Batch, e *bpf.FileEvent, name string) (plog.LogRecord, *batch.Attributes, string) {
	severity := plog.SeverityNumberInfo
	if e.Error != 0 {
		severity = plog.SeverityNumberWarn
	}
	lr := b.Append(common.RecordOf(&e.Record), e.Owner.Cgroup, name, severity)
	attributes := b.Attributes(10)
	path := ""
	if len(f.path) > 0 {
		path = strings.ToValidUTF8(string(f.path), "\uFFFD") // most are seen once, so they are not kept
		attributes.PutStr(string(conventions.FilePathKey), path)
		if name := nameOf(path); name != "" {
			attributes.PutStr(string(conventions.FileNameKey), name)
		}
	}
	return lr, attributes, path
}

// end adds the attributes that tell the result and the process.
func (f *files) end(b *batch.Batch, lr plog.LogRecord, attributes *batch.Attributes, e *bpf.FileEvent) {
	if e.Error != 0 {
		attributes.PutStr(string(conventions.ErrorTypeKey), kernel.ErrorType(e.Error))
	}
	b.PutOwner(attributes, common.OwnerOf(&e.Owner), uint8(common.AttributionNone))
	if path := f.host.Containers.Path(e.Owner.Cgroup); path != "" {
		attributes.PutStr(string(conventions.ProcessLinuxCgroupKey), path)
	}
	attributes.MoveTo(lr.Attributes())
}
