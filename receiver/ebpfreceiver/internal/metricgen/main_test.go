// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

const receiver = "../.."

// The committed file is up to date.
func TestGenerated(t *testing.T) {
	want, err := generate(receiver)
	require.NoError(t, err)
	have, err := os.ReadFile(filepath.Join(receiver, generated))
	require.NoError(t, err)
	assert.Equal(t, string(want), string(have), "run: make generate")
}

func TestIdentifier(t *testing.T) {
	assert.Equal(t, "EbpfTCPRtt", metric{Name: "ebpf.tcp.rtt"}.Identifier())
	assert.Equal(t, "DNSLookupDuration", metric{Name: "dns.lookup.duration"}.Identifier())
	assert.Equal(t, "EbpfFileDescriptorAge", metric{Name: "ebpf.file_descriptor.age"}.Identifier())
}

// A metric name used by two programs, and an unknown key, are errors.
func TestGenerateRefuses(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"there are two metrics a.b": {"one": "a.b: {unit: s}", "two": "a.b: {unit: s}"},
		"there are two metrics x.y": {"one": "x.y: {unit: s}"},
		"has invalid keys: units":   {"one": "a.b: {units: s}"},
	} {
		dir := t.TempDir()
		for program, yaml := range files {
			folder := filepath.Join(dir, "internal/programs", program)
			require.NoError(t, os.MkdirAll(folder, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "histograms.yaml"), []byte(yaml), 0o600))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, declared), []byte("metrics: {x.y: {unit: s}}"), 0o600))
		_, err := generate(dir)
		require.ErrorContains(t, err, name)
	}
}

// Every histogram has a switch that is on by default, and its attributes are declared in metadata.yaml.
func TestHistograms(t *testing.T) {
	conf, err := confmaptest.LoadConf(filepath.Join(receiver, "metadata.yaml"))
	require.NoError(t, err)
	var declared struct {
		Attributes map[string]any `mapstructure:"attributes"`
		Metrics    map[string]any `mapstructure:"metrics"`
	}
	require.NoError(t, conf.Unmarshal(&declared, confmap.WithIgnoreUnused()))

	var switches []string
	config := reflect.ValueOf(metadata.DefaultHistogramsConfig())
	for i := range config.NumField() {
		switches = append(switches, config.Type().Field(i).Tag.Get("mapstructure"))
		assert.True(t, config.Field(i).Interface().(metadata.HistogramConfig).Enabled)
	}

	var names []string
	for _, histogram := range metadata.Histograms() {
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
