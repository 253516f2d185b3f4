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
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/load"
)

// What this kernel writes is of the kind of what is recorded; with -update it is what is recorded.
func TestRecordsOfThisKernel(t *testing.T) {
	kerneltest.Require(t)
	disk, err := load.NewDisk(1 << 20)
	require.NoError(t, err)
	defer func() { require.NoError(t, disk.Close()) }()
	config := defaultConfig()
	config.Threshold = time.Microsecond
	types := map[string]uint8{}
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: config}, func() {
		for number, work := range []load.DiskWork{load.DiskRead, load.DiskWrite, load.DiskFlush, load.DiskDiscard} {
			require.NoError(t, work.Do(disk.Path, 8192, 4096))
			types[string(work)] = uint8(number) // those of enum req_op
		}
	})
	named := map[string][]byte{}
	for _, raw := range records {
		e, ok := common.View[bpf.DiskIOEvent](raw)
		require.True(t, ok)
		for name, number := range types {
			if deviceName(&e.Disk) == disk.Name && e.Operation == number {
				named[name] = raw
			}
		}
	}
	programtest.CompareRecords(t, named)
}
