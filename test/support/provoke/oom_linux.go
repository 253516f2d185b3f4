// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
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
		Name:  "oom",
		Event: provokeKill,
		Work: &Work{
			Counted: "{events: false}", Emitted: "{}",
			Tracepoint: "mark_victim", Hits: []string{"oom_kill"}, Run: kills,
		},
		// The kernel kills some hundred processes per second at most, which costs little in the kernel. The limit is low enough for the
		// work on the events to exceed it.
		Storm: &Storm{Limit: "0.1%", EventsOff: true, Begin: stormOfKills},
	})
}

// provokeKill makes the kernel kill a process that exceeds its memory limit.
func provokeKill(t *testing.T, events Events) collector.Event {
	t.Helper()
	limit, err := testhost.MakeMemoryLimit("privileges-test-"+strconv.Itoa(os.Getpid()), 16<<20)
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	defer func() { require.NoError(t, limit.Close()) }()
	greedy := exec.Command("sh", "-c", "read go && exec tail /dev/zero")
	in, err := greedy.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, greedy.Start())
	require.NoError(t, limit.Add(greedy.Process.Pid))
	_, err = in.Write([]byte("go\n"))
	require.NoError(t, err)
	require.ErrorContains(t, greedy.Wait(), "killed")
	return events.Await(t, 1, "ebpf.oom.kill", map[string]any{
		"process.pid": int64(greedy.Process.Pid), "process.executable.name": "tail",
	})[0]
}

// kills makes the kernel kill processes for lack of memory.
func kills(Place) (done traffic.LoopDone, err error) {
	limit, err := testhost.MakeMemoryLimit("otelcol-ebpf-bench", 16<<20)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, limit.Close()) }()
	begin := time.Now()
	for ; done.Count < 20; done.Count++ {
		if err := traffic.Exceed(limit); err != nil {
			return done, err
		}
	}
	done.Elapsed = time.Since(begin)
	return done, nil
}

// stormOfKills makes the kernel kill processes for lack of memory, one after the other.
func stormOfKills(t *testing.T) (round func() error, calm func()) {
	t.Helper()
	limit, err := testhost.MakeMemoryLimit("kernel-test-storm", 16<<20)
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	t.Cleanup(func() { require.NoError(t, limit.Close()) })
	return func() error { return traffic.Exceed(limit) }, nil
}
