// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// States of TCP sockets.
const (
	stateEstablished, stateSynSent, stateSynRecv, stateFinWait2, stateClose, stateLastAck, stateListen = 1, 2, 3, 5, 7, 9, 10
)

// change is a state change of a socket.
type change struct{ from, to int32 }

// without is the program with a hook that ignores one state change, as when the kernel skips the hook.
type without struct {
	program.Program
	change change
}

func (w without) Spec() (*ebpf.CollectionSpec, error) {
	spec, err := w.Program.Spec()
	if err != nil {
		return nil, err
	}
	function := spec.Programs[bpf.ConnectionProgConnectionSetState]
	// The tracepoint's arguments are the socket, its state, and the new state, of 8 bytes each.
	blind := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 8, asm.DWord),
		jumpUnless(asm.R2, w.change.from, 4),
		asm.LoadMem(asm.R2, asm.R1, 16, asm.DWord),
		jumpUnless(asm.R2, w.change.to, 2),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	}
	// The metadata of the function is attached to its first instruction.
	first := &function.Instructions[0].Metadata
	blind[0].Metadata, *first = *first, asm.Metadata{}
	function.Instructions = append(blind, function.Instructions...)
	return spec, nil
}

// jumpUnless skips that many instructions if a register does not have the value.
func jumpUnless(r asm.Register, value int32, instructions int16) asm.Instruction {
	return asm.Instruction{OpCode: asm.JNE.Op(asm.ImmSource), Dst: r, Offset: instructions, Constant: int64(value)}
}

// If the kernel skips the hook at one change, the missed change is reconstructed from the next one, or from the end of the
// socket.
func TestUnseenChanges(t *testing.T) {
	orderly := map[string]int{"connect": 1, "accept": 1, "close_client": 1, "close_server": 1}
	for name, tt := range map[string]struct {
		change change
		refuse bool
		want   map[string]int
		// noTime is the event without a duration.
		noTime string
	}{
		"none":                     {want: orderly},
		"established by client":    {change: change{stateSynSent, stateEstablished}, want: orderly, noTime: "connect"},
		"made for server":          {change: change{stateListen, stateSynRecv}, want: orderly},
		"established by server":    {change: change{stateSynRecv, stateEstablished}, want: orderly, noTime: "close_server"},
		"closed by last ACK":       {change: change{stateLastAck, stateClose}, want: orderly},
		"closed by FIN":            {change: change{stateFinWait2, stateClose}, want: orderly},
		"refused":                  {change: change{stateSynSent, stateClose}, refuse: true, want: map[string]int{"connect_refused": 1}},
		"refused, nothing is left": {refuse: true, want: map[string]int{"connect_refused": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			definition := Definition
			definition.New = func(cfg program.Config, host *program.Host) program.Program {
				return without{newProgram(cfg, host), tt.change}
			}
			config := &Config{CommonConfig: program.CommonConfig{Events: true}, Protocols: []Protocol{TCP}}
			var open, refused uint16
			records := programtest.Records(t, program.Selected{Definition: &definition, Config: config}, func() {
				if tt.refuse {
					refused = closedPort(t)
					return
				}
				open = exchange(t, "tcp4", "127.0.0.1:0")
			})
			have := map[string]int{}
			for _, raw := range records {
				name := nameOf(raw, open, refused, 0, "")
				if name == "" {
					continue
				}
				have[name]++
				e, ok := common.View[bpf.ConnectionEvent](raw)
				require.True(t, ok)
				assert.EqualValues(t, os.Getpid(), e.Owner.Pid, name)
				switch name {
				case "connect_refused":
					continue
				case "close_client", "close_server":
					assert.EqualValues(t, len("hello"), e.BytesSent+e.BytesReceived, name)
				}
				assert.Zero(t, e.Error, name)
				hasTime := name != "accept" && name != tt.noTime
				assert.Equal(t, hasTime, e.Duration != 0, "duration %d in %s", e.Duration, name)
			}
			assert.Equal(t, tt.want, have)
		})
	}
}
