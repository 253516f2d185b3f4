// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package script

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLines(t *testing.T) {
	for _, want := range []Line{
		{Booted, "6.1.0-1-cloud-amd64"},
		{Output, "    --- PASS: TestX (0.01s)"},
		{Output, ""},
		{End, ""},
		{Output, "@@ output of somebody else"},
	} {
		var b strings.Builder
		require.NoError(t, Write(&b, want.Kind, want.Text))
		for _, raw := range []string{b.String(), strings.TrimSuffix(b.String(), "\n") + "\r\n", "\x1b[c" + b.String()} {
			got, ok := Parse(raw)
			assert.True(t, ok)
			assert.Equal(t, want, got)
		}
	}
	for _, raw := range []string{"", "[    0.000000] Linux version 6.1.0", "@", "output x"} {
		_, ok := Parse(raw)
		assert.False(t, ok, raw)
	}
}
