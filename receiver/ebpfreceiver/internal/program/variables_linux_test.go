// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

// constants returns the values of a real object's constants in the kernel, by name.
func constants(t *testing.T, options Options, config *CommonConfig) func(name string) []byte {
	t.Helper()
	spec, err := bpf.LoadPacketDrop()
	require.NoError(t, err)
	p := &fakeProgram{spec: spec, events: 5, variables: map[string]any{bpf.PacketDropVarKfreeSkbArguments: uint32(3)}}
	d := p.define("p")
	set, err := Open([]Selected{{Definition: d, Config: config}}, options)
	require.NoError(t, err)
	defer func() { require.NoError(t, set.Close()) }()
	v := spec.Variables[bpf.PacketDropVarEventLimit]
	var data []byte
	require.NoError(t, p.maps[v.SectionName].Lookup(uint32(0), &data))
	require.Error(t, p.maps[v.SectionName].Put(uint32(0), data), "the map must be frozen, so that the verifier knows its values")
	return func(name string) []byte {
		v := spec.Variables[name]
		require.NotNil(t, v, name)
		return data[v.Offset : int(v.Offset)+len(v.Value)]
	}
}

func TestVariables(t *testing.T) {
	options, _ := liveOptions(t)
	kerneltest.LeavesNothing(t)
	options.Filters.Exclude = Filter{Self: true, Loopback: true, Ports: []uint16{22}}
	limit := 300
	value := constants(t, options, &CommonConfig{Events: true, EventLimit: &limit})
	assert.Equal(t, []byte{44, 1, 0, 0, 0, 0, 0, 0}, value(bpf.PacketDropVarEventLimit))
	assert.Equal(t, []byte{5, 0, 0, 0}, value(bpf.PacketDropVarEnabledEvents))
	assert.Equal(t, []byte{3, 0, 0, 0}, value(bpf.PacketDropVarKfreeSkbArguments))
	assert.Equal(t, []byte{0, 0xe0, 0, 0, 0, 0, 0, 0}, value(bpf.PacketDropVarRingReserveAbove), "7/8 of 64 KiB")
	cpus, err := ebpf.PossibleCPU()
	require.NoError(t, err)
	queryAbove := uint64(0xe000 - min(0xe000, 0x4000*cpus))
	assert.Equal(t, binary.NativeEndian.AppendUint64(nil, queryAbove), value(bpf.PacketDropVarRingQueryAbove), "16 KiB of each CPU before that")
	assert.Equal(t, []byte{0, 0x20, 0, 0, 0, 0, 0, 0}, value(bpf.PacketDropVarRingWakeAbove), "1/8 of 64 KiB")
	assert.Equal(t, []byte{1}, value(bpf.PacketDropVarExcludeLoopback))
	assert.Equal(t, []byte{1}, value(bpf.PacketDropVarExcludePorts))
	assert.Equal(t, []byte{0}, value(bpf.PacketDropVarExcludeCidrs))
	assert.Equal(t, []byte{0}, value(bpf.PacketDropVarExcludeExecutables))
	assert.Equal(t, []byte{1}, value(bpf.PacketDropVarReadNames))
	pid, err := ownPID()
	require.NoError(t, err)
	assert.Equal(t, pid, binary.NativeEndian.Uint32(value(bpf.PacketDropVarSelfPid)))

	// Without a limit, and without a consumer of events.
	options.Filters.Exclude = Filter{Executables: []string{"sshd"}}
	options.Emit = nil
	value = constants(t, options, &CommonConfig{Events: true})
	assert.Equal(t, make([]byte, 8), value(bpf.PacketDropVarEventLimit))
	assert.Equal(t, make([]byte, 4), value(bpf.PacketDropVarEnabledEvents))
	assert.Equal(t, make([]byte, 4), value(bpf.PacketDropVarSelfPid))
	assert.Equal(t, []byte{1}, value(bpf.PacketDropVarExcludeExecutables))
	assert.Equal(t, []byte{1}, value(bpf.PacketDropVarReadNames), "exclusion by executable needs names")

	// With metrics only.
	options.Filters, options.Emit = Filters{}, emitNowhere
	value = constants(t, options, &CommonConfig{})
	assert.Equal(t, make([]byte, 4), value(bpf.PacketDropVarEnabledEvents))
	assert.Equal(t, []byte{0}, value(bpf.PacketDropVarReadNames))
}
