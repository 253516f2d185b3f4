// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"os"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// kills is the program in a running receiver.
type kills struct {
	host     *program.Host
	counts   metrics.Series[bpf.OomSeries, metrics.Group, bpf.OomCounts]
	pageSize uint64
	// totalPages returns the pages of memory and swap of this machine, 0 if unknown.
	totalPages func() uint64
}

var _ program.Program = (*kills)(nil)

func newProgram(_ program.Config, host *program.Host) program.Program {
	return &kills{
		host:       host,
		pageSize:   uint64(os.Getpagesize()),
		totalPages: kernel.TotalPages,
	}
}

// Spec implements program.Program.
func (*kills) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadOom() }

// Variables implements program.Program.
func (k *kills) Variables() map[string]any {
	arguments, ok := k.host.BTF.TracepointArgs("mark_victim")
	if !ok {
		arguments = 1
	}
	return map[string]any{bpf.OomVarMarkVictimArguments: uint32(arguments)}
}

// Events implements program.Program.
func (k *kills) Events() uint32 {
	return program.EventBits(map[bpf.OomEventId]bool{
		bpf.OomEventIdEVENT_KILL: k.host.Events.EbpfOomKill.Enabled,
	})
}

// Loaded implements program.Program.
func (k *kills) Loaded(maps map[string]*ebpf.Map) error {
	return k.counts.Loaded(maps[bpf.OomMapOomKills], seriesOf, bpf.OomSeries{Cgroup: metrics.OverflowCgroup})
}

// Hooks implements program.Program. The kernel kills under a global lock, so that no kill interrupts another one.
func (*kills) Hooks() []program.Hook {
	return []program.Hook{program.Tracepoint(bpf.OomProgOomKill, "mark_victim")}
}
