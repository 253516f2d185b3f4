// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/listeners"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// drops is the program in a running receiver.
type drops struct {
	host   *program.Host
	counts metrics.Series[bpf.PacketDropSeries, series, bpf.PacketDropCounts]

	overflows overflows
}

var _ program.Program = (*drops)(nil)

func newProgram(_ program.Config, host *program.Host) program.Program {
	return &drops{host: host, overflows: overflows{
		reader:   listeners.Reader{Update: host.UpdateListener, Listening: host.Listening, Listened: host.Listened},
		reported: map[listeners.ID]uint64{},
		counts:   map[bpf.PacketDropSeries]uint64{},
	}}
}

// Spec implements program.Program.
func (*drops) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadPacketDrop() }

// Variables implements program.Program.
func (d *drops) Variables() map[string]any {
	arguments, ok := d.host.BTF.TracepointArgs("kfree_skb")
	if !ok {
		arguments = 2
	}
	// Kernels without a reason for a full accept queue drop these segments with the reason not specified.
	for _, name := range []string{"SKB_DROP_REASON_TCP_LISTEN_OVERFLOW", "SKB_DROP_REASON_NOT_SPECIFIED"} {
		if number, known := d.host.BTF.EnumValue("skb_drop_reason", name); known {
			d.overflows.reason = uint32(number)
			break
		}
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
