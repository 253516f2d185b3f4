// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/xdp"
)

// packets is the program in a running receiver.
type packets struct {
	host       *program.Host
	config     *Config
	interfaces interfaces
	scrape     scrape // the current one
	counts     metrics.Series[bpf.PacketSeries, series, bpf.PacketCounts]
}

var _ program.Program = (*packets)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	p := &packets{host: host, config: cfg.(*Config)}
	p.counts.Fate = p.fate
	return p
}

// Spec implements program.Program.
func (*packets) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadPacket() }

// Variables implements program.Program.
func (p *packets) Variables() map[string]any {
	return map[string]any{bpf.PacketVarSampleBelow: uint64(1<<32) / uint64(p.config.SampleEvery)}
}

// Events implements program.Program.
func (p *packets) Events() uint32 {
	return program.EventBits(map[bpf.PacketEventId]bool{
		bpf.PacketEventIdEVENT_SAMPLE: p.host.Events.EbpfPacketSample.Enabled,
	})
}

// Loaded implements program.Program.
func (p *packets) Loaded(maps map[string]*ebpf.Map) error {
	p.interfaces.names, p.interfaces.counts = maps[bpf.PacketMapPacketInterfaces], maps[bpf.PacketMapPacketCounts]
	return p.counts.Loaded(maps[bpf.PacketMapPacketCounts], p.seriesOf, bpf.PacketSeries{Interface: overflow})
}

// Hooks implements program.Program.
func (p *packets) Hooks() []program.Hook {
	function := bpf.PacketProgPacket
	if p.host.BTF.HasHelper("xdp_get_buff_len") {
		function = bpf.PacketProgPacketInPieces
	}
	return []program.Hook{xdp.Hook(function, p.host, xdp.Interfaces{
		Chosen:  p.config.chooses,
		Named:   p.config.named(),
		Added:   p.interfaces.add,
		Removed: p.interfaces.remove,
	})}
}
