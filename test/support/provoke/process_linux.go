// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func init() {
	add(Program{
		Name:  "process",
		Event: provokeExecution,
		Work: &Work{
			Counted: "{events: false}", Emitted: "{event_limit: 1000000000}",
			Tracepoint: "sched_process_exec", Hits: []string{"process_exec", "process_exit"}, Run: loop(traffic.LoopProcesses, 2000),
		},
		Storm: &Storm{Limit: "0.2%", EventsOff: true, Begin: repeat(loop(traffic.LoopProcesses, 1000))},
	})
}

// provokeExecution executes a program.
func provokeExecution(t *testing.T, events Events) collector.Event {
	t.Helper()
	cmd := exec.Command("true")
	require.NoError(t, cmd.Run())
	process := map[string]any{"process.pid": int64(cmd.Process.Pid), "process.parent_pid": int64(os.Getpid())}
	events.Await(t, 1, "ebpf.process.exit", process)
	return events.Await(t, 1, "ebpf.process.exec", process)[0]
}
