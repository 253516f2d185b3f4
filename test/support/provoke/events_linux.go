// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// Patience is the limit until an event must be in the file.
const Patience = 10 * time.Second

// Events is the path of the file to which a collector writes its events.
type Events string

// Await waits until there are n events of a name with these attributes, and returns them.
func (e Events) Await(t *testing.T, n int, name string, attributes map[string]any) []collector.Event {
	t.Helper()
	return e.AwaitIn(t, nil, n, name, attributes)
}

// AwaitIn waits for events of a container.
func (e Events) AwaitIn(t *testing.T, in *testhost.Cgroup, n int, name string, attributes map[string]any) (found []collector.Event) {
	t.Helper()
	require.Eventually(t, func() bool {
		found = e.Matching(t, in, name, attributes)
		return len(found) >= n
	}, Patience, 50*time.Millisecond, "fewer than %d events %s with %v", n, name, attributes)
	require.Len(t, found, n, "events %s with %v", name, attributes)
	return found
}

// Matching returns the events so far, only those of a container if that is not nil.
func (e Events) Matching(t *testing.T, in *testhost.Cgroup, name string, attributes map[string]any) []collector.Event {
	t.Helper()
	events, err := collector.ReadEvents(string(e))
	require.NoError(t, err)
	return slices.DeleteFunc(collector.Matching(events, name, attributes), func(event collector.Event) bool {
		return in != nil && event.Resource["container.id"] != in.ContainerID
	})
}

// PublicDir is a folder that every user may write to. Those of t.TempDir are private.
func PublicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "otelcol-ebpf-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}
