// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/process"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// AppendLog implements program.Program.
func (p *processes) AppendLog(b *batch.Batch, raw []byte) error {
	record, ok := common.View[common.Record](raw)
	if !ok {
		return fmt.Errorf("process record of %d bytes is shorter than a header", len(raw))
	}
	switch bpf.ProcessEventId(record.Event) {
	case bpf.ProcessEventIdEVENT_EXEC:
		if e, ok := common.View[bpf.ProcessExecEvent](raw); ok {
			p.appendExec(b, e, nil)
			return nil
		}
	case bpf.ProcessEventIdEVENT_EXEC_ARGUMENTS:
		if e, ok := common.View[bpf.ProcessExecEvent](raw); ok {
			if a, ok := common.View[bpf.ProcessArguments](raw[unsafe.Sizeof(*e):]); ok {
				p.appendExec(b, e, a)
				return nil
			}
		}
	case bpf.ProcessEventIdEVENT_EXIT:
		if e, ok := common.View[bpf.ProcessEvent](raw); ok {
			p.appendExit(b, e)
			return nil
		}
	default:
		return fmt.Errorf("process record of unknown event %d", record.Event)
	}
	return fmt.Errorf("process record of %d bytes is too short for event %d", len(raw), record.Event)
}

// appendExec adds the attributes of an execution. a is nil where arguments are not asked for.
func (p *processes) appendExec(b *batch.Batch, e *bpf.ProcessExecEvent, a *bpf.ProcessArguments) {
	owner := common.OwnerOf(&e.Owner)
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.process.exec", plog.SeverityNumberInfo)
	p.putProcess(event, owner, e.Parent, e.Vpid, e.Start)
	path := ""
	if names := e.Path[:min(int(e.PathLength), len(e.Path))]; len(names) > 0 {
		p.path = appendPath(p.path[:0], chars(names))
		path = b.Names.Get(p.path)
		event.PutStr(string(conventions.ProcessExecutablePathKey), path)
	}
	event.PutInt(string(conventions.ProcessArgsCountKey), int64(e.ArgumentCount))
	if a != nil {
		putArguments(event, a)
	}
	script := ""
	if text := common.Text(e.Script[:]); len(text) > 0 {
		script = b.Names.Get(text)
		event.PutStr("ebpf.process.script", script)
	}
	event.End(func(text []byte) []byte { return appendExecBody(b, text, owner, path, script) })
}

// appendPath appends the path made of names. The names end in a zero byte, and the last name of the path comes first.
func appendPath(path, names []byte) []byte {
	names = bytes.TrimSuffix(names, []byte{0})
	for len(names) > 0 {
		i := bytes.LastIndexByte(names, 0)
		path = append(append(path, '/'), names[i+1:]...)
		names = names[:max(i, 0)]
	}
	return path
}

// putArguments puts the arguments, each of which ends in a zero byte. If they were cut, the last one may be incomplete.
func putArguments(event *batch.Event, a *bpf.ProcessArguments) {
	text := chars(a.Text[:min(int(a.Length), len(a.Text))])
	if len(text) > 0 {
		list := event.PutSlice(string(conventions.ProcessCommandArgsKey))
		for argument := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte{0}), []byte{0}) {
			list.AppendEmpty().SetStr(strings.ToValidUTF8(string(argument), "\uFFFD"))
		}
	}
	if a.Total > a.Length {
		event.PutBool("ebpf.process.arguments.truncated", true)
	}
}

func (p *processes) appendExit(b *batch.Batch, e *bpf.ProcessEvent) {
	owner := common.OwnerOf(&e.Owner)
	signal, severity := uint8(e.Status&0x7f), plog.SeverityNumberInfo
	if signal != 0 {
		severity = plog.SeverityNumberWarn
	}
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.process.exit", severity)
	p.putProcess(event, owner, e.Parent, e.Vpid, e.Start)
	code := int64(e.Status >> 8 & 0xff)
	if signal != 0 {
		event.PutStr("ebpf.process.exit.signal", signalName(signal))
	} else {
		event.PutInt(string(conventions.ProcessExitCodeKey), code)
	}
	event.PutDouble("ebpf.process.duration", float64(e.Duration)/1e9)
	event.End(func(text []byte) []byte {
		text = b.AppendOwner(text, owner)
		if signal != 0 {
			text = append(append(text, " ended by "...), signalName(signal)...)
		} else {
			text = strconv.AppendInt(append(text, " exited with code "...), code, 10)
		}
		return batch.AppendDuration(append(text, " after "...), e.Duration)
	})
}

// creationTime is the layout of process.creation.time: ISO 8601 with milliseconds, as in the semantic conventions.
const creationTime = "2006-01-02T15:04:05.000Z07:00"

// putProcess puts the process that an event is about. start is the time of its creation (CLOCK_BOOTTIME).
func (p *processes) putProcess(event *batch.Event, owner *common.Owner, parent, vpid uint32, start uint64) {
	event.PutProcess(owner)
	if vpid != 0 && vpid != owner.Pid {
		event.PutInt(string(conventions.ProcessVpidKey), int64(vpid))
	}
	event.PutStr(string(conventions.ProcessCreationTimeKey), p.host.Kernel.Clock.WallOfBoot(start).AsTime().Format(creationTime))
	if parent != 0 {
		event.PutInt(string(conventions.ProcessParentPIDKey), int64(parent))
	}
}

// appendExecBody appends the body, such as "backup[4242] executes /usr/bin/bash for /etc/cron.daily/backup".
func appendExecBody(b *batch.Batch, text []byte, owner *common.Owner, path, script string) []byte {
	text = b.AppendOwner(text, owner)
	if path != "" {
		text = append(append(text, " executes "...), path...)
	} else {
		text = append(append(text, " executes "...), b.Names.Get(common.Text(owner.Executable[:]))...)
	}
	if script != "" {
		text = append(append(text, " for "...), script...)
	}
	return text
}

func chars(s []int8) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}
