// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"fmt"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// needed are the members of the kernel's structs that hold how long a task has waited.
var needed = []struct{ structure, member, option string }{
	{"sched_info", "last_queued", "CONFIG_SCHED_INFO"},
	{"cfs_rq", "rq", "CONFIG_FAIR_GROUP_SCHED"},
}

// waits is the program in a running receiver.
type waits struct {
	config *program.ThresholdConfig
	host   *program.Host
	times  metrics.Series[bpf.RunqueueSeries, metrics.Group, bpf.RunqueueHistogram]
}

var _ program.Program = (*waits)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	return &waits{config: cfg.(*program.ThresholdConfig), host: host}
}

// Spec implements program.Program.
func (w *waits) Spec() (*ebpf.CollectionSpec, error) {
	for _, n := range needed {
		if !w.host.BTF.HasMember(n.structure, n.member) {
			return nil, fmt.Errorf("this kernel does not measure how long a task waits: struct %s has no %s; run one built with %s=y",
				n.structure, n.member, n.option)
		}
	}
	spec, err := bpf.LoadRunqueue()
	if err != nil {
		return nil, err
	}
	return spec, metrics.MakeRoom(spec.Maps[bpf.RunqueueMapRunqueueWaits])
}

// Variables implements program.Program.
func (w *waits) Variables() map[string]any {
	return map[string]any{
		bpf.RunqueueVarStallThreshold:  uint64(w.config.Threshold.Nanoseconds()),
		bpf.RunqueueVarHistogramBounds: w.host.Histogram.Table(),
	}
}

// Events implements program.Program.
func (w *waits) Events() uint32 {
	return program.EventBits(map[bpf.RunqueueEventId]bool{
		bpf.RunqueueEventIdEVENT_STALL: w.host.Events.EbpfRunqueueStall.Enabled,
	})
}

// Loaded implements program.Program.
func (w *waits) Loaded(maps map[string]*ebpf.Map) error {
	return w.times.Loaded(maps[bpf.RunqueueMapRunqueueWaits], seriesOf, bpf.RunqueueSeries{Cgroup: metrics.OverflowCgroup})
}

// Hooks implements program.Program. A CPU switches tasks with interrupts off, so that nothing interrupts this hook and
// calls it again.
func (*waits) Hooks() []program.Hook {
	return []program.Hook{program.Tracepoint(bpf.RunqueueProgRunqueueSwitch, "sched_switch")}
}
