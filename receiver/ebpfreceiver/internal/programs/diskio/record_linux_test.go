// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
func TestRecordsOfThisKernel(t *testing.T) {
	kerneltest.Require(t)
	disk := newDisk(t, 1<<20)
	config := defaultConfig()
	config.Threshold = time.Microsecond
	types := map[string]uint8{}
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: config}, func() {
		for number, operation := range []string{"read", "write", "flush", "discard"} {
			require.NoError(t, disk.operate(t, operation, 8192, 4096))
			types[operation] = uint8(number) // values of enum req_op
		}
	})
	named := map[string][]byte{}
	for _, raw := range records {
		e, ok := common.View[bpf.DiskIOEvent](raw)
		require.True(t, ok)
		for name, number := range types {
			if deviceName(&e.Disk) == disk.name && e.Operation == number {
				named[name] = raw
			}
		}
	}
	programtest.CompareRecords(t, named)
}
