// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"context"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Window is the default length of the window.
const Window = 15 * time.Minute

// Watch finds the problems from time to time, until the context ends. The store keeps the counts, so that the first request does not
// have to read the warnings of half an hour.
func Watch(ctx context.Context, store query.Store) {
	const (
		// often is the least time between two counts. share limits counting to one part in so many of a CPU.
		often = 10 * time.Second
		share = 50
	)
	for {
		changed := store.Changed()
		began := time.Now()
		// A request that fails reports the error.
		_, _ = Find(ctx, store, began.Add(-Window).Truncate(query.Part), began)
		select {
		case <-time.After(max(often, share*time.Since(began))):
		case <-ctx.Done():
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
