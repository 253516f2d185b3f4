// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// Queries are answered while events arrive, files are sealed and old files are removed.
func TestQueriesWhileEventsComeIn(t *testing.T) {
	s := small(openStore(t, Settings{MaxSize: 400_000}))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			after := int64(0)
			for {
				select {
				case <-done:
					return
				default:
				}
				var err error
				switch i {
				case 0:
					var page query.Page
					page, err = s.Events(t.Context(), query.Events{Filter: fields(event.Executable, "curl"), Limit: 50})
					for j := range page.Events {
						assert.True(t, is("process.executable.name", "curl")(&page.Events[j]))
					}
				case 1:
					_, err = s.Count(t.Context(), query.Count{Filter: query.Filter{Severity: 13}, By: []query.Key{{Kind: query.ByType}}})
				case 2:
					_, after, err = s.Follow(t.Context(), query.Follow{After: after, Limit: 100})
				}
				assert.NoError(t, err)
				s.Status()
			}
		})
	}
	const batches = 30
	for i := range batches {
		write(t, s, storetest.Logs(i*200, 200))
	}
	close(done)
	readers.Wait()
	s.settled()
	status := s.Status()
	assert.Equal(t, int64(batches*200), status.Stored)
	assert.Positive(t, status.Evicted)
	assert.Empty(t, status.Damaged)
}
