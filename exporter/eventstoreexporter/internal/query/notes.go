// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"slices"
	"sync"
)

// Notes collects the reasons why an answer is incomplete.
type Notes struct {
	mu   sync.Mutex
	list []string
}

type notesKey struct{}

// WithNotes returns a context whose notes a store can add to.
func WithNotes(ctx context.Context) (context.Context, *Notes) {
	notes := new(Notes)
	return context.WithValue(ctx, notesKey{}, notes), notes
}

// Note adds a reason why an answer is incomplete.
func Note(ctx context.Context, why string) {
	notes, ok := ctx.Value(notesKey{}).(*Notes)
	if !ok {
		return
	}
	notes.mu.Lock()
	defer notes.mu.Unlock()
	if !slices.Contains(notes.list, why) {
		notes.list = append(notes.list, why)
	}
}

// All returns what was noted.
func (n *Notes) All() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}

// RefusedError is the error for a parameter that this store does not support.
type RefusedError struct{ Bad }

func (r *RefusedError) Error() string { return r.Parameter + ": " + r.Message }
