// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// The table in docs/event-store.md lists the kinds.
func TestTable(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/event-store.md")
	require.NoError(t, err)
	var table strings.Builder
	for _, kind := range Kinds() {
		event := "`" + kind.Event + "`"
		if kind.Event == "any" {
			event = kind.Event
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", kind.Name, event, kind.Doc)
	}
	assert.Contains(t, string(page), "| Kind | Event | Meaning |\n|---|---|---|\n"+table.String()+"\n")
}

// Every kind can be counted by its fields, and has a title without any of them.
func TestKinds(t *testing.T) {
	for i := range kinds {
		k := &kinds[i]
		names := k.by
		if k.sum != "" {
			names = append(names, k.sum)
		}
		assert.LessOrEqual(t, len(names), query.MaxKeys, k.name)
		for _, name := range names {
			_, ok := query.ByName(name)
			assert.True(t, ok, "%s: %s", k.name, name)
		}
		assert.NotEmpty(t, values{}.expand(k.title), k.name)
		assert.NotRegexp(t, `[][{}|]`, values{}.expand(k.title), k.name)
		assert.Positive(t, k.least, k.name)
	}
}
