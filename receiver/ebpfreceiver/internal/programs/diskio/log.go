// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// noSector is the sector of an operation without one, such as a flush.
const noSector = ^uint64(0)

// AppendLog implements program.Program.
func (o *operations) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.DiskIOEvent](raw)
	if !ok {
		return fmt.Errorf("disk_io record of %d bytes is too short", len(raw))
	}
	if bpf.DiskIOEventId(e.Record.Event) != bpf.DiskIOEventIdEVENT_SLOW {
		return fmt.Errorf("disk_io record of unknown event %d", e.Record.Event)
	}
	owner := common.OwnerOf(&e.Owner)
	device, operation := b.Names.Get(common.Text(e.Disk[:])), o.names.operation(e.Operation)
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.disk.slow_operation", plog.SeverityNumberWarn)
	event.PutStr(string(conventions.SystemDeviceKey), device)
	event.PutStr("ebpf.disk.operation.type", operation)
	event.PutStr(string(conventions.DiskIODirectionKey), direction(operation))
	event.PutDouble("ebpf.disk.operation.duration", float64(e.Duration)/1e9)
	if e.Size > 0 {
		event.PutInt("ebpf.disk.operation.size", int64(e.Size))
	}
	if e.Sector != noSector {
		event.PutInt("ebpf.disk.operation.sector", int64(e.Sector))
	}
	event.PutStr(string(conventions.ErrorTypeKey), errorType(e.Error))
	event.PutOwner(owner, e.Attribution)
	event.End(func(text []byte) []byte { return appendBody(b, text, e, device, operation) })
	return nil
}

// appendBody appends the body, such as "postgres[4242] → vda: write of 8.2 kB took 152.3 ms" or "vda: flush failed after
// 30 s: eio".
func appendBody(b *batch.Batch, text []byte, e *bpf.DiskIOEvent, device, operation string) []byte {
	if e.Owner.Pid != 0 {
		text = append(b.AppendOwner(text, common.OwnerOf(&e.Owner)), " → "...)
	}
	text = append(append(append(text, device...), ": "...), operation...)
	if e.Size > 0 {
		text = batch.AppendBytes(append(text, " of "...), uint64(e.Size))
	}
	name := errorType(e.Error)
	if name == "" {
		return batch.AppendDuration(append(text, " took "...), e.Duration)
	}
	text = batch.AppendDuration(append(text, " failed after "...), e.Duration)
	return append(append(text, ": "...), name...)
}
