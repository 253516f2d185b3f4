// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"slices"
	"sync"
)

// Notes collects why the answer to a question is not complete.
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

// Note says why an answer is not complete.
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

// RefusedError is the error of a parameter that a store cannot take, although others can.
type RefusedError struct{ Bad }

func (r *RefusedError) Error() string { return r.Parameter + ": " + r.Message }
