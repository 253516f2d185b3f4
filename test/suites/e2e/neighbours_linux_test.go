// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// terminalLines returns how many lines on the terminal are refused connections of a process.
func terminalLines(output string, pid int) int {
	pattern := regexp.MustCompile(fmt.Sprintf(`(?m)^\d\d:\d\d:\d\d\.\d{3} WARN  \S+\[%d\] → 127\.0\.0\.1:1 tcp refused after `, pid))
	return len(pattern.FindAllString(output, -1))
}

// With the shipped configuration, each event is on the terminal once and in time, although the disk of the file exporter is
// full and another backend is down.
func TestDeadNeighbours(t *testing.T) {
	s := newSetup(t)
	disk := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8k"))
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	full := disk + "/events.json"
	require.NoError(t, os.WriteFile(full, make([]byte, 8192), 0o600))
	away, err := collector.FreePort()
	require.NoError(t, err)
	c := s.start(t, fmt.Sprintf(`yaml:
exporters:
  file: {path: %q}
  otlp_http/away: {endpoint: "http://localhost:%d"}
service: {pipelines: {logs: {exporters: [file]}, logs/away: {receivers: [ebpf], exporters: [otlp_http/away]}}}
`, full, away))

	const refused, rounds = 20, 5
	var processes []int
	for range rounds {
		did := job{Refused: refused}.make(t, "neighbour", nil)
		begin := time.Now()
		require.Eventually(t, func() bool { return terminalLines(c.Output(), did.PID) >= refused }, patience, 50*time.Millisecond)
		assert.Less(t, time.Since(begin), 2*time.Second)
		processes = append(processes, did.PID)
	}
	require.Eventually(t, func() bool { return strings.Contains(c.Log(), "no space left on device") }, patience, 50*time.Millisecond,
		"the disk was not full")
	require.Eventually(t, func() bool { return strings.Contains(c.Log(), "otlp_http/away") }, patience, 50*time.Millisecond,
		"the other exporter did not fail")
	assert.Zero(t, s.page(t).Sum("ebpf_event_lost_total", collector.Labels{"ebpf_program_name": "connection"}),
		"losses of an exporter must not be the receiver's")
	require.NoError(t, c.Stop())
	for _, pid := range processes {
		assert.Equal(t, refused, terminalLines(c.Output(), pid), "each event is there once, also at the end")
	}
}

// A process cannot forge a line on the terminal by its name.
func TestForgedLines(t *testing.T) {
	s := newSetup(t)
	c := s.start(t)
	did := job{Refused: 1}.make(t, "x\nnginx[1] ok\x1b", nil)
	require.Eventually(t, func() bool {
		return strings.Contains(c.Output(), fmt.Sprintf("[%d] → 127.0.0.1:1 tcp refused", did.PID))
	},
		patience, 50*time.Millisecond)
	assert.Contains(t, c.Output(), fmt.Sprintf(`x\nnginx[1] ok\x1b[%d] → 127.0.0.1:1 tcp refused`, did.PID), "the name must be escaped")
	assert.NotContains(t, c.Output(), "\nnginx[1]")
	assert.NotContains(t, c.Output(), "\x1b")
	await(t, func() []collector.Event { return readEvents(t, s.events) }, 1, "ebpf.connection.connect", map[string]any{
		"process.pid": int64(did.PID), "thread.name": "x\nnginx[1] ok\x1b",
	})
	require.NoError(t, c.Stop())
}
