// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// shownConfig has the parts of a collector's configuration that the test reads.
type shownConfig struct {
	Exporters map[string]map[string]any
	Service   struct {
		Pipelines map[string]struct{ Processors, Exporters []string }
	}
}

// queues says for each exporter in the repository how to keep it from refusing events: its queue is on by default, or
// it has none and needs a batch processor.
var queues = map[string]string{"otlp_grpc": "on", "otlp_http": "on", "kafka": "on", "event_store": "on", "terminal": "on", "file": "none"}

// No exporter of events in our configurations can refuse or block what the receiver sends to other exporters.
func TestExportersHaveQueues(t *testing.T) {
	var configs []string
	for _, pattern := range []string{"examples/*.yaml", "config.yaml", "deploy/kubernetes/*-config.yaml"} {
		found, err := filepath.Glob(testenv.Repository(t, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		configs = append(configs, found...)
	}
	checked := map[string]bool{}
	for _, path := range configs {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var config shownConfig
		require.NoError(t, yaml.Unmarshal(text, &config), path)
		for id, pipeline := range config.Service.Pipelines {
			if signal, _, _ := strings.Cut(id, "/"); signal != "logs" {
				continue
			}
			for _, exporter := range pipeline.Exporters {
				kind, _, _ := strings.Cut(exporter, "/")
				queue, _ := config.Exporters[exporter]["sending_queue"].(map[string]any)
				where := path + ", " + id + ", " + exporter
				switch queues[kind] {
				case "on":
					assert.NotEqual(t, false, queue["enabled"], where)
				case "none":
					assert.True(t, slices.Contains(pipeline.Processors, "batch"), where)
				default:
					assert.Fail(t, "exporter is missing in queues", where)
				}
				checked[kind] = true
			}
		}
	}
	assert.Len(t, checked, len(queues), "exporter in queues is not used by any configuration")
}
