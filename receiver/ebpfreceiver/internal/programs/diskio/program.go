// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"sync"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// operations is the program in a running receiver.
type operations struct {
	config  *program.ThresholdConfig
	host    *program.Host
	names   names
	devices *devices
	counts  metrics.Series[bpf.DiskIOSeries, series, bpf.DiskIOCounts]
	// seesMemoryDisks reports that disks in memory are measured. It is found out once.
	seesMemoryDisks func() bool
	// warned reports that a newer one was logged.
	warned bool
}

var _ program.Program = (*operations)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	o := &operations{config: cfg.(*program.ThresholdConfig), host: host, names: namesOf(host.BTF), devices: newDevices()}
	o.counts.Fate = o.fate
	o.seesMemoryDisks = sync.OnceValue(o.hasMemoryDisks)
	return o
}

// Spec implements program.Program.
func (*operations) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadDiskIO() }

// Variables implements program.Program.
func (o *operations) Variables() map[string]any {
	requestArguments, _ := o.host.BTF.TracepointArgs("block_rq_issue")
	bioArguments, _ := o.host.BTF.TracepointArgs("block_bio_queue")
	return map[string]any{
		bpf.DiskIOVarRequestBehindQueue: requestArguments == 2,
		bpf.DiskIOVarBioBehindQueue:     bioArguments == 2,
		bpf.DiskIOVarSeesStart:          o.seesStart(),
		bpf.DiskIOVarSlowThreshold:      uint64(o.config.Threshold.Nanoseconds()),
		bpf.DiskIOVarHistogramBounds:    o.host.Histogram.Table(),
	}
}

// seesStart reports whether the kernel runs a hook for a request in the context of the process that submits it (Linux
// 6.5).
func (o *operations) seesStart() bool {
	_, ok := o.host.BTF.TracepointArgs("block_io_start")
	return ok
}

// Events implements program.Program.
func (o *operations) Events() uint32 {
	return program.EventBits(map[bpf.DiskIOEventId]bool{
		bpf.DiskIOEventIdEVENT_SLOW: o.host.Events.EbpfDiskSlowOperation.Enabled,
	})
}

// Loaded implements program.Program.
func (o *operations) Loaded(maps map[string]*ebpf.Map) error {
	return o.counts.Loaded(maps[bpf.DiskIOMapDiskIoOperations], o.seriesOf, bpf.DiskIOSeries{Cgroup: metrics.OverflowCgroup})
}

// Hooks implements program.Program. Hooks for the end of an operation come first, so that none starts whose end is
// missed. All but those for the completion run in the context of a thread, where none of them interrupts another.
func (o *operations) Hooks() []program.Hook {
	hooks := []program.Hook{
		program.ExactTracepoint(bpf.DiskIOProgDiskIoComplete, bpf.DiskIOProgDiskIoMissed, "block_rq_complete"),
		program.Tracepoint(bpf.DiskIOProgDiskIoRequeue, "block_rq_requeue"),
		program.Tracepoint(bpf.DiskIOProgDiskIoMerge, "block_rq_merge"),
		program.Tracepoint(bpf.DiskIOProgDiskIoIssue, "block_rq_issue"),
	}
	if o.seesMemoryDisks() {
		hooks = append(hooks,
			program.Tracepoint(bpf.DiskIOProgDiskIoBioComplete, "block_bio_complete"),
			program.Tracepoint(bpf.DiskIOProgDiskIoBioQueue, "block_bio_queue"))
	}
	if o.seesStart() {
		return append(hooks, program.Tracepoint(bpf.DiskIOProgDiskIoStart, "block_io_start"))
	}
	return append(hooks, program.Tracepoint(bpf.DiskIOProgDiskIoInsert, "block_rq_insert"))
}
