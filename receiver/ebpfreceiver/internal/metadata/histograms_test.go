// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// Every histogram has its switch, enabled by default, and attributes that metadata.yaml declares.
func TestHistograms(t *testing.T) {
	conf, err := confmaptest.LoadConf("../../metadata.yaml")
	require.NoError(t, err)
	var declared struct {
		Attributes map[string]any `mapstructure:"attributes"`
		Metrics    map[string]any `mapstructure:"metrics"`
	}
	require.NoError(t, conf.Unmarshal(&declared, confmap.WithIgnoreUnused()))

	var switches []string
	config := reflect.ValueOf(DefaultHistogramsConfig())
	for i := range config.NumField() {
		switches = append(switches, config.Type().Field(i).Tag.Get("mapstructure"))
		assert.True(t, config.Field(i).Interface().(HistogramConfig).Enabled)
	}

	var names []string
	for _, histogram := range Histograms() {
		names = append(names, histogram.Name)
		assert.NotContains(t, declared.Metrics, histogram.Name)
		assert.Equal(t, "s", histogram.Unit)
		assert.True(t, strings.HasSuffix(histogram.Description, "."))
		for _, attribute := range histogram.Attributes {
			assert.Contains(t, declared.Attributes, attribute)
		}
	}
	assert.Equal(t, switches, names)
	assert.True(t, slices.IsSorted(names))
}
