// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// Every configuration that we show is taken by the collector that we build, without a word about deprecation.
func TestConfigs(t *testing.T) {
	collector := testenv.Collector(t)
	configs, err := filepath.Glob(testenv.Repository(t, "examples/*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, configs)
	for _, config := range append(configs, testenv.Repository(t, "config.yaml")) {
		t.Run(filepath.Base(config), func(t *testing.T) {
			output, err := run(t.Context(), t.TempDir(), collector, "validate", "--config", config, statusGate)
			require.NoError(t, err, output)
			assert.NotContains(t, strings.ToLower(output), "deprecated")
		})
	}
}

// What TestConfigs asks of the collector is a real question: it refuses what is wrong, and says where.
func TestConfigsRefused(t *testing.T) {
	collector := testenv.Collector(t)
	valid, err := os.ReadFile(testenv.Repository(t, "config.yaml"))
	require.NoError(t, err)
	tests := []struct {
		name     string
		old, new string
		gate     string
		want     string
	}{
		{
			name: "unknown program",
			old:  "packet_drop:",
			new:  "packet_drops:",
			gate: statusGate,
			want: "packet_drops",
		},
		{
			name: "unknown exporter",
			old:  "exporters: [prometheus]",
			new:  "exporters: [prometheus, influxdb]",
			gate: statusGate,
			want: "influxdb",
		},
		{
			name: "health check without its feature gate",
			gate: "--feature-gates=-extension.healthcheck.useComponentStatus",
			want: "--feature-gates=+extension.healthcheck.useComponentStatus",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Contains(t, string(valid), tt.old)
			config := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(config, []byte(strings.ReplaceAll(string(valid), tt.old, tt.new)), 0o600))
			output, err := run(t.Context(), t.TempDir(), collector, "validate", "--config", config, tt.gate)
			require.Error(t, err, output)
			assert.Contains(t, output, tt.want)
		})
	}
}
