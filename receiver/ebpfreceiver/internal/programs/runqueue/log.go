// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

const stalled = uint8(bpf.RunqueueEventIdEVENT_STALL)

// AppendLog implements program.Program.
func (w *waits) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.RunqueueEvent](raw)
	if !ok {
		return fmt.Errorf("runqueue record of %d bytes is too short", len(raw))
	}
	if e.Record.Event != stalled {
		return fmt.Errorf("runqueue record of unknown event %d", e.Record.Event)
	}
	owner := common.OwnerOf(&e.Owner)
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.runqueue.stall", plog.SeverityNumberWarn)
	event.PutProcess(owner)
	event.PutDouble("ebpf.runqueue.duration", float64(e.Duration)/1e9)
	event.PutInt(string(conventions.CPULogicalNumberKey), int64(e.Record.Cpu))
	event.End(func(text []byte) []byte {
		// Such as "nginx[4242] waited 1.2 s for a CPU".
		text = append(b.AppendOwner(text, owner), " waited "...)
		return append(batch.AppendDuration(text, e.Duration), " for a CPU"...)
	})
	return nil
}
