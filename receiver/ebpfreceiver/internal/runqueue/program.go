// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	// histogramMemory is the most that the histograms of all CPUs take, unless that is too little for minSeries.
	histogramMemory      = 64 << 20
	minSeries, maxSeries = 128, 1024
)

// needed are the members of the kernel's structs by which it tells how long a task has waited.
var needed = []struct{ structure, member, option string }{
	{"sched_info", "last_queued", "CONFIG_SCHED_INFO"},
	{"cfs_rq", "rq", "CONFIG_FAIR_GROUP_SCHED"},
}

// waits is the program in a running receiver.
type waits struct {
	config *Config
	host   *program.Host
	times  *program.Series[bpf.RunqueueSeries, series, bpf.RunqueueHistogram]
}

var _ program.Program = (*waits)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	return &waits{config: cfg.(*Config), host: host, times: program.NewSeries(seriesOf, fate)}
}

// Spec implements program.Program.
func (w *waits) Spec() (*ebpf.CollectionSpec, error) {
	for _, n := range needed {
		if !w.host.BTF.HasMember(n.structure, n.member) {
			return nil, fmt.Errorf("this kernel does not tell how long a task has waited: struct %s has no %s; run one built with %s=y",
				n.structure, n.member, n.option)
		}
	}
	spec, err := bpf.LoadRunqueue()
	if err != nil {
		return nil, err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count the CPUs: %w", err)
	}
	spec.Maps[bpf.RunqueueMapRunqueueWaits].MaxEntries = seriesFor(cpus)
	return spec, nil
}

// seriesFor returns how many series there is room for on so many CPUs, each of which has histograms of its own.
func seriesFor(cpus int) uint32 {
	const size = uint64(unsafe.Sizeof(bpf.RunqueueHistogram{}))
	return uint32(min(max(histogramMemory/size/uint64(cpus), minSeries), maxSeries))
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
	return w.times.Loaded(maps[bpf.RunqueueMapRunqueueWaits], bpf.RunqueueSeries{Cgroup: program.OverflowCgroup})
}

// Hooks implements program.Program. A CPU switches tasks with interrupts off, so that nothing that calls the hook
// interrupts it.
func (*waits) Hooks() []program.Hook {
	return []program.Hook{program.Tracepoint(bpf.RunqueueProgRunqueueSwitch, "sched_switch")}
}
