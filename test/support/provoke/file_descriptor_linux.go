// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func init() {
	add(Program{
		Name:     "file_descriptor",
		Settings: "{processes: 10000, leak_intervals: 2}",
		Event:    provokeLeak,
		Work: &Work{
			// Hits are all descriptors of the host, once per interval. The work only opens and closes some.
			Counted:    "{}",
			Tracepoint: "sched_switch", Hits: []string{"file_descriptor_scan_tasks"}, Run: loop(traffic.LoopDescriptors, 10_000_000),
		},
		// The program costs something only in a collection, when it scans all descriptors.
		Storm: &Storm{Limit: "10%", Receiver: "collection_interval: 10ms", Begin: stormOfDescriptors},
	})
}

// provokeLeak opens more and more pipes. The third snapshot that shows growth reports a leak.
func provokeLeak(t *testing.T, events Events) collector.Event {
	t.Helper()
	done := make(chan struct{})
	var (
		opening sync.WaitGroup
		pipes   []*os.File
	)
	opening.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
			r, w, err := os.Pipe()
			if !assert.NoError(t, err) {
				return
			}
			pipes = append(pipes, r, w)
		}
	})
	defer func() {
		close(done)
		opening.Wait()
		for _, end := range pipes {
			require.NoError(t, end.Close())
		}
	}()
	return events.Await(t, 1, "ebpf.file_descriptor.leak", map[string]any{"process.pid": int64(os.Getpid()), "ebpf.file_descriptor.kind": "pipe"})[0]
}

// stormOfDescriptors opens very many descriptors in two processes, and keeps them open.
func stormOfDescriptors(t *testing.T) (round func() error, calm func()) {
	t.Helper()
	const many = traffic.MaxDescriptors - 1000
	ns := testnet.NewNamespace(t)
	agents := []*traffic.Agent{traffic.Start(t, ns), traffic.Start(t, ns)}
	open := false
	return func() error {
			for _, a := range agents {
				if !open {
					a.OpenDescriptors("device", many)
				}
			}
			open = true
			time.Sleep(10 * time.Millisecond) // collections scan them
			return nil
		}, func() {
			for _, a := range agents {
				a.CloseDescriptors("device", many)
			}
			open = false
		}
}
