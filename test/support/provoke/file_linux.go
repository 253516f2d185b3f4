// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func init() {
	add(Program{
		Name:     "file",
		Settings: "{opens: {paths: [/tmp]}}",
		Event:    provokeDeletion,
		Work: &Work{
			Counted: "{events: false}", Emitted: "{event_limit: 1000000000}",
			Tracepoint: "sys_exit", Hits: []string{"file_after_unlink", "file_exit_unlink"}, Run: loop(traffic.LoopDeletions, 50_000),
		},
		Storm: &Storm{Limit: "2%", EventsOff: true, Begin: repeat(loop(traffic.LoopDeletions, 50_000))},
	})
}

// provokeDeletion makes a file and deletes it.
func provokeDeletion(t *testing.T, events Events) collector.Event {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Remove(path))
	file := map[string]any{"file.path": path, "process.pid": int64(os.Getpid())}
	events.Await(t, 1, "ebpf.file.open", file)
	return events.Await(t, 1, "ebpf.file.delete", file)[0]
}
