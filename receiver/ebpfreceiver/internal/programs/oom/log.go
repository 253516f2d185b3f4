// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// AppendLog implements program.Program.
func (k *kills) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.OomEvent](raw)
	if !ok {
		return fmt.Errorf("oom record of %d bytes is too short", len(raw))
	}
	if bpf.OomEventId(e.Record.Event) != bpf.OomEventIdEVENT_KILL {
		return fmt.Errorf("oom record of unknown event %d", e.Record.Event)
	}
	owner, trigger := common.OwnerOf(&e.Owner), common.OwnerOf(&e.Trigger)
	lr := b.Append(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.oom.kill", plog.SeverityNumberError)
	attributes := b.Attributes(16)
	b.PutOwner(attributes, owner, uint8(common.AttributionNone))
	if path := k.host.Containers.Path(owner.Cgroup); path != "" {
		attributes.PutStr(string(conventions.ProcessLinuxCgroupKey), path)
	}
	if e.HasMemory != 0 {
		k.putMemory(attributes, e)
	}
	attributes.PutInt("ebpf.oom.score_adj", int64(e.ScoreAdj))
	putTrigger(b, attributes, trigger)
	attributes.MoveTo(lr.Attributes())
	if b.HasBody() {
		b.Text = k.appendBody(b, b.Text[:0], e)
		lr.Body().SetStr(string(b.Text))
	}
	return nil
}

func (k *kills) putMemory(attributes *batch.Attributes, e *bpf.OomEvent) {
	m := &e.Memory
	attributes.PutInt("ebpf.oom.memory.total", int64(m.Total*k.pageSize))
	attributes.PutInt("ebpf.oom.memory.anonymous", int64(m.Anonymous*k.pageSize))
	attributes.PutInt("ebpf.oom.memory.file", int64(m.File*k.pageSize))
	attributes.PutInt("ebpf.oom.memory.shmem", int64(m.Shmem*k.pageSize))
	attributes.PutInt("ebpf.oom.memory.swap", int64(m.Swap*k.pageSize))
	attributes.PutInt("ebpf.oom.memory.page_tables", int64(m.PageTables))
	if total := int64(k.totalPages()); total > 0 {
		pages := int64(m.Anonymous + m.File + m.Shmem + m.Swap + m.PageTables/k.pageSize)
		attributes.PutInt("ebpf.oom.score", score(pages, int64(e.ScoreAdj), total))
	}
}

// score returns what /proc/PID/oom_score shows of a process that holds a number of pages, of a total.
func score(pages, adjustment, total int64) int64 {
	badness := pages + adjustment*(total/1000)
	return (1000 + badness*1000/total) * 2 / 3
}

func putTrigger(b *batch.Batch, attributes *batch.Attributes, trigger *common.Owner) {
	if trigger.Pid == 0 {
		return
	}
	attributes.PutInt("ebpf.oom.trigger.pid", int64(trigger.Pid))
	if name := common.Text(trigger.Executable[:]); len(name) > 0 {
		attributes.PutStr("ebpf.oom.trigger.executable.name", b.Names.Get(name))
	}
	if name := common.Text(trigger.Comm[:]); len(name) > 0 {
		attributes.PutStr("ebpf.oom.trigger.thread.name", b.Names.Get(name))
	}
}

// appendBody appends the line for people, such as
// "java[4242] killed for lack of memory: 1.5 GB anonymous, 20.1 MB file, 0 B shmem; cron[77] asked for more".
func (k *kills) appendBody(b *batch.Batch, text []byte, e *bpf.OomEvent) []byte {
	text = append(b.AppendOwner(text, common.OwnerOf(&e.Owner)), " killed for lack of memory"...)
	if m := &e.Memory; e.HasMemory != 0 {
		text = append(batch.AppendBytes(append(text, ": "...), m.Anonymous*k.pageSize), " anonymous, "...)
		text = append(batch.AppendBytes(text, m.File*k.pageSize), " file, "...)
		text = append(batch.AppendBytes(text, m.Shmem*k.pageSize), " shmem"...)
	}
	if e.Trigger.Pid != 0 {
		text = append(b.AppendOwner(append(text, "; "...), common.OwnerOf(&e.Trigger)), " asked for more"...)
	}
	return text
}
