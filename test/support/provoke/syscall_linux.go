// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func init() {
	add(Program{
		Name:     "syscall",
		Settings: "{waiting: true, syscalls: [clock_nanosleep]}",
		Event:    provokeSleep,
		Work: &Work{
			Counted:    "{events: false}",
			Tracepoint: "sys_exit", Hits: []string{"syscall_exit"}, Goal: 150, Run: loop(traffic.LoopCalls, 2_000_000),
		},
		Storm: &Storm{Limit: "20%", Begin: repeat(loop(traffic.LoopCalls, 3_000_000))},
	})
}

// provokeSleep makes a slow system call.
func provokeSleep(t *testing.T, events Events) collector.Event {
	t.Helper()
	cmd := exec.Command("sleep", "0.2")
	require.NoError(t, cmd.Run())
	return events.Await(t, 1, "ebpf.syscall.slow", map[string]any{"process.pid": int64(cmd.Process.Pid)})[0]
}
