// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package terminalexporter

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

func TestConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		config map[string]any
		err    string
	}{
		"default":      {},
		"any length":   {config: map[string]any{"columns": 0}},
		"too short":    {config: map[string]any{"columns": 39}, err: "columns: 39 is too few; write at least 40, or 0 to cut nothing"},
		"no such word": {config: map[string]any{"color": "red"}, err: `color: "red" is not one of auto, always, never`},
		"no queue":     {config: map[string]any{"sending_queue": map[string]any{"enabled": false}}},
	} {
		t.Run(name, func(t *testing.T) {
			config := createDefaultConfig().(*Config)
			require.NoError(t, confmap.NewFromStringMap(tt.config).Unmarshal(config))
			err := config.Validate()
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tt.err)
		})
	}
}

func TestColor(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	assert.False(t, hasColor(ColorAuto))
	assert.True(t, hasColor(ColorAlways))
	assert.False(t, hasColor(ColorNever))
	t.Setenv("NO_COLOR", "")
	assert.False(t, hasColor(ColorAuto), "the output of tests is not a terminal")
}
