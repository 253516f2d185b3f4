// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

var update = flag.Bool("update", false, "rewrite the table of capabilities in docs/privileges.md")

// The table of docs/privileges.md is that of the uses, which the other tests hold against the kernel.
func TestPrivilegesTable(t *testing.T) {
	const begin, end = "<!-- begin: capabilities -->\n", "<!-- end: capabilities -->"
	path := testenv.Repository(t, "docs/privileges.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "%s has no line %s", path, begin)
	have, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s has no line %s", path, end)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+table()+end+after), 0o644))
		return
	}
	assert.Equal(t, table(), have, "it is out of date; run: go test ./test/suites/privileges -run TestPrivilegesTable -update")
}

func table() string {
	var b strings.Builder
	heading := []string{"Program"}
	for _, c := range capabilities {
		heading = append(heading, "`"+c.String()+"`")
	}
	row := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	row(heading)
	b.WriteString(strings.Repeat("|---", len(heading)) + "|\n")
	for _, u := range uses {
		cells := []string{u.title}
		for _, c := range capabilities {
			switch {
			case slices.Contains(u.needs, c):
				cells = append(cells, "needed")
			case u.serves[c] != "":
				cells = append(cells, "for `"+u.serves[c]+"`")
			default:
				cells = append(cells, "–")
			}
		}
		row(cells)
	}
	return b.String()
}
