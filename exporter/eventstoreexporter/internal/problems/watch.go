// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"context"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Window is the time that is looked at unless another one is asked for.
const Window = 15 * time.Minute

// Watch asks what is wrong from time to time, until a context ends. The store remembers what it has counted, so that whoever asks
// first need not wait until it has read all warnings of half an hour.
func Watch(ctx context.Context, store query.Store) {
	const (
		// often is how long events come in before they are counted, share the part of a CPU that this may take.
		often = 10 * time.Second
		share = 50
	)
	for {
		changed := store.Changed()
		began := time.Now()
		// An error is told to whoever asks.
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
