// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func init() {
	add(Program{
		Name:     "runqueue",
		Settings: "{threshold: 1us}",
		Event:    provokeWait,
		Work: &Work{
			Counted: "{events: false}", Emitted: "{threshold: 1us, event_limit: 1000000000}",
			Tracepoint: "sched_switch", Hits: []string{"runqueue_switch"}, Goal: 100, Run: loop(traffic.LoopSwitches, 100_000),
		},
		Storm: &Storm{Limit: "1%", Begin: repeat(loop(traffic.LoopSwitches, 200_000))},
	})
}

// provokeWait waits for an event of this process. Each time the process wakes up, it may have to wait for a CPU.
func provokeWait(t *testing.T, events Events) collector.Event {
	t.Helper()
	var waits []collector.Event
	require.Eventually(t, func() bool {
		waits = events.Matching(t, nil, "ebpf.runqueue.stall", map[string]any{"process.pid": int64(os.Getpid())})
		return len(waits) > 0
	}, Patience, 50*time.Millisecond, "no event of this process")
	return waits[0]
}
