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
	event, path := f.begin(b, e, "ebpf.file.delete")
	event.PutStr("ebpf.file.deletion.kind", kinds[e.Operation])
	if e.Uncertain != 0 {
		event.PutBool("ebpf.file.deletion.uncertain", true)
	}
	event.End(func(text []byte) []byte { return appendDeletionBody(b, text, e, path) })
}

func (f *files) appendOpen(b *batch.Batch, e *bpf.FileEvent) {
	event, path := f.begin(b, e, "ebpf.file.open")
	var room [16]string
	event.PutStrings("ebpf.file.open.flags", appendFlags(room[:0], e.Flags))
	event.End(func(text []byte) []byte { return appendOpenBody(b, text, e, path) })
}

// begin begins an event with the attributes of the file, the result and the process. It also returns the path of the
// file.
func (f *files) begin(b *batch.Batch, e *bpf.FileEvent, name string) (event *batch.Event, path string) {
	severity := plog.SeverityNumberInfo
	if e.Error != 0 {
		severity = plog.SeverityNumberWarn
	}
	event = b.Event(common.RecordOf(&e.Record), e.Owner.Cgroup, name, severity)
	path = strings.ToValidUTF8(string(f.path), "\uFFFD") // not cached: most paths are seen once
	event.PutStr(string(conventions.FilePathKey), path)
	event.PutStr(string(conventions.FileNameKey), nameOf(path))
	if e.Error != 0 {
		event.PutStr(string(conventions.ErrorTypeKey), kernel.ErrorType(e.Error))
	}
	event.PutProcess(common.OwnerOf(&e.Owner))
	return event, path
}
