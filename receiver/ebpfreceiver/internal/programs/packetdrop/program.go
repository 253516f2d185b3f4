// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// drops is the program in a running receiver.
type drops struct {
	host   *program.Host
	counts metrics.Series[bpf.PacketDropSeries, series, bpf.PacketDropCounts]
}

var _ program.Program = (*drops)(nil)

func newProgram(_ program.Config, host *program.Host) program.Program {
	return &drops{host: host}
}

// Spec implements program.Program.
func (*drops) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadPacketDrop() }

// Variables implements program.Program.
func (d *drops) Variables() map[string]any {
	arguments, ok := d.host.BTF.TracepointArgs("kfree_skb")
	if !ok {
		arguments = 2
	}
	return map[string]any{
		bpf.PacketDropVarKfreeSkbArguments: uint32(arguments),
		bpf.PacketDropVarJudgements:        d.judgementsOfKernel(),
		bpf.PacketDropVarCodes:             d.codesOfKernel(),
	}
}

// Events implements program.Program.
func (d *drops) Events() uint32 {
	return program.EventBits(map[bpf.PacketDropEventId]bool{
		bpf.PacketDropEventIdEVENT_DROP: d.host.Events.EbpfPacketDrop.Enabled,
	})
}

// Loaded implements program.Program.
func (d *drops) Loaded(maps map[string]*ebpf.Map) error {
	return d.counts.Loaded(maps[bpf.PacketDropMapPacketDropCounts], seriesOf, bpf.PacketDropSeries{Cgroup: metrics.OverflowCgroup})
}

// Hooks implements program.Program.
func (*drops) Hooks() []program.Hook {
	return []program.Hook{program.ExactTracepoint(bpf.PacketDropProgPacketDrop, bpf.PacketDropProgPacketDropMissed, "kfree_skb")}
}
