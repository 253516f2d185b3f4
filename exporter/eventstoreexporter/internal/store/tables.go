// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"slices"
	"sync"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// tables are the strings, shapes and origins of the file that is being written, for queries of this file. An id is the position in the
// slice, from 1.
type tables struct {
	mu      sync.RWMutex
	strings []string
	numbers map[string]int64
	shapes  []*shape
	origins []*event.Origin
}

func newTables() *tables { return &tables{numbers: map[string]int64{}} }

func (t *tables) addString(text string) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.strings = append(t.strings, text)
	id := int64(len(t.strings))
	t.numbers[text] = id
	return id
}

func (t *tables) nextShape() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return int64(len(t.shapes)) + 1
}

func (t *tables) addShape(s *shape) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shapes = append(t.shapes, s)
}

func (t *tables) addOrigin(o *event.Origin) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.origins = append(t.origins, o)
	return int64(len(t.origins))
}

func (t *tables) text(number int64) (string, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if number < 1 || number > int64(len(t.strings)) {
		return "", errValue
	}
	return t.strings[number-1], nil
}

func (t *tables) number(text string) (int64, bool, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	id, ok := t.numbers[text]
	return id, ok, nil
}

func (t *tables) shape(id int64) (*shape, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if id < 1 || id > int64(len(t.shapes)) {
		return nil, errShape
	}
	return t.shapes[id-1], nil
}

func (t *tables) origin(id int64) (*event.Origin, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if id < 1 || id > int64(len(t.origins)) {
		return nil, errValue
	}
	return t.origins[id-1], nil
}

func (t *tables) allShapes() ([]*shape, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clip(t.shapes), nil
}

func (t *tables) allOrigins() ([]*event.Origin, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clip(t.origins), nil
}
