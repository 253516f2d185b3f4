// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// asked is a store that counts what streams ask for.
type asked struct {
	query.Store
	questions atomic.Int64
}

func (a *asked) Events(ctx context.Context, q query.Events) (query.Page, error) {
	a.questions.Add(1)
	return a.Store.Events(ctx, q)
}

func (a *asked) Follow(ctx context.Context, q query.Follow) ([]event.Event, int64, error) {
	a.questions.Add(1)
	return a.Store.Follow(ctx, q)
}

// Clients with the same filters share what is read for them, and each gets all of its events.
func TestStreamsShare(t *testing.T) {
	of := start(t)
	store := &asked{Store: of.Store}
	s := serve(t, store, of.directory)
	s.fill(t)
	const clients, batches, size = 30, 4, 100
	var reading, opened sync.WaitGroup
	opened.Add(clients)
	for i := range clients {
		reading.Go(func() {
			filter := []string{"type=connection", "command=curl"}[i%2]
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/events/stream?limit=1&"+filter, http.NoBody)
			if !assert.NoError(t, err) {
				return
			}
			response, err := http.DefaultClient.Do(r)
			if !assert.NoError(t, err) {
				return
			}
			defer response.Body.Close()
			lines := bufio.NewScanner(response.Body)
			last, left := int64(0), 1+[]int{batches * size * 85 / 100, batches * size / 5}[i%2] // and one that was there before
			for left > 0 && lines.Scan() {
				id, ok := strings.CutPrefix(lines.Text(), "id: ")
				if !ok {
					continue
				}
				number, err := strconv.ParseInt(id, 10, 64)
				assert.NoError(t, err)
				assert.Greater(t, number, last)
				if last == 0 {
					opened.Done()
				} else {
					assert.Greater(t, number, int64(6000))
				}
				last = number
				left--
			}
			assert.Zero(t, left, "it gets all")
		})
	}
	opened.Wait()
	for i := range batches {
		require.NoError(t, s.Write(t.Context(), storetest.Logs(6000+i*size, size)))
	}
	reading.Wait()
	assert.Less(t, store.questions.Load(), int64(clients*batches), "as if nothing was shared")
}

func TestSharedIsBounded(t *testing.T) {
	var s shared
	for i := range 100 {
		s.put(place{"?", int64(i), 0}, part{encoded: make([]byte, maxShared/10-256), next: int64(i) + 1})
	}
	assert.Len(t, s.parts, 10)
	_, ok := s.get(place{"?", 0, 0})
	assert.False(t, ok)
	_, ok = s.get(place{"?", 99, 0})
	assert.True(t, ok)
	s.put(place{"", 5, 0}, part{encoded: []byte("x"), next: 6})
	_, ok = s.get(place{"", 5, 0})
	assert.False(t, ok, "those of other times")
	s.put(place{"?", 200, 0}, part{next: 200})
	_, ok = s.get(place{"?", 200, 0})
	assert.False(t, ok, "nothing came yet")
}
