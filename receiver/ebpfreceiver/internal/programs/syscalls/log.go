// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// AppendLog implements program.Program.
func (c *calls) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.SyscallEvent](raw)
	if !ok {
		return fmt.Errorf("syscall record of %d bytes is too short", len(raw))
	}
	if bpf.SyscallEventId(e.Record.Event) != bpf.SyscallEventIdEVENT_SLOW {
		return fmt.Errorf("syscall record of unknown event %d", e.Record.Event)
	}
	failure, severity := kernel.ErrorType(e.Error), plog.SeverityNumberInfo
	if failure != "" {
		severity = plog.SeverityNumberWarn
	}
	owner, name := common.OwnerOf(&e.Owner), callName(int(e.Call))
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.syscall.slow", severity)
	event.PutStr("ebpf.syscall.name", name)
	event.PutDouble("ebpf.syscall.duration", float64(e.Duration)/1e9)
	if failure != "" {
		event.PutStr(string(conventions.ErrorTypeKey), failure)
	} else if hasResult(name) {
		event.PutInt("ebpf.syscall.result", e.Result)
	}
	event.PutProcess(owner)
	event.End(func(text []byte) []byte { return appendBody(b, text, owner, name, failure, e.Duration) })
	return nil
}

// appendBody appends the body, such as "postgres[4242] fsync took 1.2 s" or "cp[77] openat failed after 2.1 s: eio".
func appendBody(b *batch.Batch, text []byte, owner *common.Owner, name, failure string, duration uint64) []byte {
	text = append(append(b.AppendOwner(text, owner), ' '), name...)
	if failure == "" {
		return batch.AppendDuration(append(text, " took "...), duration)
	}
	text = batch.AppendDuration(append(text, " failed after "...), duration)
	return append(append(text, ": "...), failure...)
}
