// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Packets without room in the map are counted together, and as lost. Nobody can fill the map with odd protocols.
func TestMapWithoutRoom(t *testing.T) {
	kerneltest.Require(t)
	require.NoError(t, kernel.ThisHost().LiftMemlock())
	p := newProgram(on("eth0"), programtest.Host(t)).(*packets)
	spec, err := p.Spec()
	require.NoError(t, err)
	spec.Programs = map[string]*ebpf.ProgramSpec{bpf.PacketProgPacket: spec.Programs[bpf.PacketProgPacket]}
	const room = 3
	spec.Maps[bpf.PacketMapPacketCounts].MaxEntries = room
	collection, err := ebpf.NewCollection(spec)
	require.NoError(t, err)
	defer collection.Close()
	require.NoError(t, p.Loaded(collection.Maps))

	const each = 10
	send := func(protocol uint8) {
		frame := make([]byte, 60)
		frame[12], frame[14], frame[14+9] = 8, 4<<4|5, protocol
		frame[14+8] = 64
		for range each {
			verdict, err := collection.Programs[bpf.PacketProgPacket].Run(&ebpf.RunOptions{Data: frame})
			require.NoError(t, err)
			const pass = 2 // XDP_PASS
			require.EqualValues(t, pass, verdict)
		}
	}
	for protocol := range uint8(100) {
		if protocol != inet.ProtocolTCP && protocol != inet.ProtocolUDP && protocol != inet.ProtocolICMP && protocol != inet.ProtocolICMPv6 {
			send(protocol)
		}
	}
	send(inet.ProtocolUDP)
	send(inet.ProtocolTCP)
	send(inet.ProtocolICMP)

	// Such a run may be on any interface.
	p.scrape = scrape{counted: map[uint32]bool{}, known: map[uint32]known{}}
	sums, err := p.counts.Scrape(nil)
	require.NoError(t, err)
	got := map[series]uint64{}
	for s, sum := range sums {
		assert.Equal(t, sum.Packets*46, sum.Bytes, "%+v", s)
		got[s] = sum.Packets
	}
	assert.Equal(t, map[series]uint64{
		{ipVersion: 4}: 96 * each, {ipVersion: 4, protocol: inet.ProtocolUDP}: each, {overflow: true}: 2 * each,
	}, got)
	var lost []common.Losses
	require.NoError(t, collection.Maps[common.MapLost].Lookup(uint32(0), &lost))
	total := uint64(0)
	for _, cpu := range lost {
		total += cpu.ByCause[common.LossMapFull]
	}
	assert.EqualValues(t, 2*each, total)
}
