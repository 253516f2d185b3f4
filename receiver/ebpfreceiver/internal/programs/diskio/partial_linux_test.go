// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// failing is the program with an object in which each completed part has failed. Real disks that report one bad sector in
// the middle of a request are rare.
type failing struct{ *operations }

func (f failing) Spec() (*ebpf.CollectionSpec, error) {
	spec, err := f.operations.Spec()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{bpf.DiskIOProgDiskIoComplete, bpf.DiskIOProgDiskIoMissed} {
		function := spec.Programs[name].Instructions
		// The arguments of the tracepoint are request, error and bytes, each of 8 bytes.
		i := slices.IndexFunc(function, func(i asm.Instruction) bool {
			return i.OpCode.Class() == asm.LdXClass && i.Src == asm.R1 && i.Offset == 8
		})
		fails := asm.Mov.Imm(function[i].Dst, -int32(unix.EIO))
		fails.Metadata = function[i].Metadata
		function[i] = fails
	}
	return spec, nil
}

// If an operation fails part by part, no bytes count as read.
func TestPartsThatFail(t *testing.T) {
	kerneltest.Require(t)
	const offset, size, there = 1 << 20, 64 << 10, 16 << 10
	inner := newDisk(t, 4<<20)
	// The outer disk reads in parts. The inner disk has only the first part.
	outer := newDiskOver(t, inner)
	inner.resize(t, offset+there)

	for name, bytes := range map[string]uint64{"the rest": there, "every part": 0} {
		t.Run(name, func(t *testing.T) {
			var o *operations
			definition := Definition
			definition.New = func(cfg program.Config, host *program.Host) program.Program {
				o = newProgram(cfg, host).(*operations)
				if bytes == 0 {
					return failing{o}
				}
				return o
			}
			programtest.Records(t, program.Selected{Definition: &definition, Config: defaultConfig()}, func() {
				require.ErrorIs(t, outer.operate(t, "read", offset, size), unix.EIO)
				all, err := o.counts.Scrape(programtest.NewMetrics(o.host, aScrapeLater, metadata.DefaultMetricsConfig()))
				require.NoError(t, err)
				have := map[string]uint64{}
				for s, sum := range all {
					if s.device == outer.name {
						have[s.operation+": "+s.errorType] += sum.Bytes
					}
				}
				assert.Equal(t, map[string]uint64{"read: eio": bytes}, have)
			})
		})
	}
}
