// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// readEvents reads what the file exporter has written so far.
func readEvents(t *testing.T, path string) []collector.Event {
	t.Helper()
	events, err := collector.ReadEvents(path)
	require.NoError(t, err)
	return events
}

// await waits until source has n events of a name with these attributes, and returns them.
func await(t *testing.T, source func() []collector.Event, n int, name string, attributes map[string]any) []collector.Event {
	t.Helper()
	var found []collector.Event
	require.Eventually(t, func() bool {
		found = collector.Matching(source(), name, attributes)
		return len(found) >= n
	}, patience, 100*time.Millisecond, "fewer than %d events %s with %v", n, name, attributes)
	require.Len(t, found, n, "events %s with %v", name, attributes)
	return found
}
