// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"

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
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.oom.kill", plog.SeverityNumberError)
	event.PutProcess(owner)
	if e.HasMemory != 0 {
		k.putMemory(event, e)
	}
	event.PutInt("ebpf.oom.score_adj", int64(e.ScoreAdj))
	putTrigger(event, trigger)
	event.End(func(text []byte) []byte { return k.appendBody(b, text, e) })
	return nil
}

func (k *kills) putMemory(event *batch.Event, e *bpf.OomEvent) {
	m := &e.Memory
	event.PutInt("ebpf.oom.memory.total", int64(m.Total*k.pageSize))
	event.PutInt("ebpf.oom.memory.anonymous", int64(m.Anonymous*k.pageSize))
	event.PutInt("ebpf.oom.memory.file", int64(m.File*k.pageSize))
	event.PutInt("ebpf.oom.memory.shmem", int64(m.Shmem*k.pageSize))
	event.PutInt("ebpf.oom.memory.swap", int64(m.Swap*k.pageSize))
	event.PutInt("ebpf.oom.memory.page_tables", int64(m.PageTables))
	if total := int64(k.totalPages()); total > 0 {
		pages := int64(m.Anonymous + m.File + m.Shmem + m.Swap + m.PageTables/k.pageSize)
		event.PutInt("ebpf.oom.score", score(pages, int64(e.ScoreAdj), total))
	}
}

// score returns the oom_score (as in /proc/PID/oom_score) of a process that holds a number of pages, of a total.
func score(pages, adjustment, total int64) int64 {
	badness := pages + adjustment*(total/1000)
	return (1000 + badness*1000/total) * 2 / 3
}

func putTrigger(event *batch.Event, trigger *common.Owner) {
	if trigger.Pid == 0 {
		return
	}
	event.PutInt("ebpf.oom.trigger.pid", int64(trigger.Pid))
	event.PutText("ebpf.oom.trigger.executable.name", common.Text(trigger.Executable[:]))
	event.PutText("ebpf.oom.trigger.thread.name", common.Text(trigger.Comm[:]))
}

// appendBody appends the body, such as "java[4242] killed for lack of memory: 1.5 GB anonymous, 20.1 MB file, 0 B shmem;
// cron[77] asked for more".
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
