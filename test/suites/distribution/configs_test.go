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

// needsFull marks a configuration that needs components of the full collector.
const needsFull = "# The full collector has what this needs: `make build-full`.\n"

// Every configuration in the repository is valid for its collector, without a flag or a deprecation warning. The full
// collector accepts all of them. The default one refuses those that need the full one.
func TestConfigs(t *testing.T) {
	onNode, inFull := testenv.Collector(t), testenv.FullCollector(t)
	configs, err := filepath.Glob(testenv.Repository(t, "examples/*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, configs)
	needing := 0
	for _, config := range append(configs, testenv.Repository(t, "config.yaml")) {
		text, err := os.ReadFile(config)
		require.NoError(t, err)
		says := strings.Contains(string(text), needsFull)
		if says {
			needing++
		}
		t.Run(filepath.Base(config), func(t *testing.T) {
			output, err := validate(t, inFull, config)
			require.NoError(t, err, output)
			assert.NotContains(t, strings.ToLower(output), "deprecated")

			output, err = validate(t, onNode, config)
			if says {
				require.Error(t, err, "the configuration does not need the full collector")
				assert.Contains(t, output, "unknown type")
				return
			}
			require.NoError(t, err, output)
			assert.NotContains(t, strings.ToLower(output), "deprecated")
		})
	}
	assert.NotZero(t, needing)
}

// The collector refuses a wrong configuration and says where the error is, so TestConfigs can fail.
func TestConfigsRefused(t *testing.T) {
	valid, err := os.ReadFile(testenv.Repository(t, "config.yaml"))
	require.NoError(t, err)
	for _, collector := range []string{testenv.Collector(t), testenv.FullCollector(t)} {
		for _, tt := range []struct{ name, old, new, want string }{
			{"unknown program", "packet_drop:", "packet_drops:", "packet_drops"},
			{"unknown exporter", "exporters: [prometheus]", "exporters: [prometheus, influxdb]", "influxdb"},
			{"unknown setting of the health check", "use_v2:", "use_v3:", "use_v3"},
		} {
			t.Run(filepath.Base(collector)+" "+tt.name, func(t *testing.T) {
				require.Contains(t, string(valid), tt.old)
				config := filepath.Join(t.TempDir(), "config.yaml")
				require.NoError(t, os.WriteFile(config, []byte(strings.ReplaceAll(string(valid), tt.old, tt.new)), 0o600))
				output, err := validate(t, collector, config)
				require.Error(t, err, output)
				assert.Contains(t, output, tt.want)
			})
		}
	}
}

// validate makes a collector check a configuration.
func validate(t *testing.T, collector, config string) (output string, err error) {
	t.Helper()
	return run(t.Context(), t.TempDir(), collector, "validate", "--config", config)
}
