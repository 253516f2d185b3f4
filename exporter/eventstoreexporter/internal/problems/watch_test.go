// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// asked is a store that counts the queries.
type asked struct {
	query.Store
	changed   chan struct{}
	questions int
}

func (a *asked) Changed() <-chan struct{} { return a.changed }

func (a *asked) Count(_ context.Context, q query.Count) ([]query.Group, error) {
	if q.Recent {
		a.questions++
	}
	return nil, nil
}

// Watch queries the store at the start, and later only if events have arrived.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &asked{changed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		go Watch(ctx, store)
		synctest.Wait()
		once := store.questions
		assert.Len(t, kinds, once-1, "one for each kind, and one for the others")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, once, store.questions)
		changed := store.changed
		store.changed = make(chan struct{})
		close(changed)
		synctest.Wait()
		assert.Equal(t, 2*once, store.questions)
		cancel()
	})
}
