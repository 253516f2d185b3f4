// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func init() {
	add(Program{
		Name:     "disk_io",
		Settings: "{threshold: 1us}",
		Event:    provokeOperation,
		Work: &Work{
			Counted: "{events: false}", Emitted: "{threshold: 1us, event_limit: 1000000000}",
			Tracepoint: "block_rq_complete", Hits: []string{"disk_io_complete"}, Run: diskReads,
		},
		Storm: &Storm{Limit: "0.5%", Begin: repeat(diskReads)},
	})
}

// provokeOperation reads from a disk.
func provokeOperation(t *testing.T, events Events) collector.Event {
	t.Helper()
	disk, err := testhost.MakeDisk(1 << 20)
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	defer func() { require.NoError(t, disk.Close()) }()
	require.NoError(t, traffic.DiskRead.Do(disk.Path, 0, 4096))
	return events.Await(t, 1, "ebpf.disk.slow_operation", map[string]any{
		"system.device": disk.Name, "ebpf.disk.operation.type": "read", "process.pid": int64(os.Getpid()), "ebpf.attribution": "current",
	})[0]
}

// diskReads reads sequentially from a disk whose content is in memory.
func diskReads(Place) (done traffic.LoopDone, err error) {
	const size, count = 4096, 20_000
	disk, err := testhost.MakeDisk(1 << 20)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	begin := time.Now()
	for ; done.Count < count; done.Count++ {
		if err := traffic.DiskRead.Do(disk.Path, 0, size); err != nil {
			return done, err
		}
	}
	done.Elapsed = time.Since(begin)
	return done, nil
}
