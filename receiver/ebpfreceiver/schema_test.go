// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// beyondSchema are the wrong configurations that the JSON Schema accepts: in JSON Schema durations are strings, and it cannot
// check system calls, patterns of names and regular expressions, nor compare two lists.
var beyondSchema = []string{
	"overhead of all CPUs", "overhead interval", "overhead too small", "rtt interval", "flush interval too long",
	"unknown system call", "interface pattern", "resource attribute filter",
	"huge number", // JSON has no other numbers than such
	"both of self", "both of loopback", "both of a network", "both of a port", "both of an executable",
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	require.NoError(t, err)
	return schema
}

// The schema accepts every configuration in the repository.
func TestSchemaAccepts(t *testing.T) {
	schema := compileSchema(t)
	accepts := func(t *testing.T, config string) {
		t.Helper()
		require.NoError(t, schema.Validate(yamlValue(t, config)), config)
		require.NoError(t, confmap.Validate(mustLoad(t, config)), config)
	}
	for _, d := range programs {
		t.Run(d.Name, func(t *testing.T) {
			assert.NotEmpty(t, d.Purpose)
			accepts(t, "programs: {"+d.Name+": "+exampleOf(d)+"}")
			for _, way := range d.Privileges {
				if way.Settings != "" {
					accepts(t, "programs: {"+d.Name+": "+way.Settings+"}")
				}
			}
			if d.DefaultConfig().Validate() == nil {
				accepts(t, "programs: {"+d.Name+": }")
			}
		})
	}

	var files []string
	for _, pattern := range []string{
		"testdata/config.yaml", "../../config.yaml", "../../examples/*.yaml", "../../deploy/kubernetes/agent-config.yaml",
	} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.Greater(t, len(files), 5)
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			conf, err := confmaptest.LoadConf(file)
			require.NoError(t, err)
			receivers := conf.ToStringMap()
			if sub, ok := receivers["receivers"].(map[string]any); ok {
				receivers = sub
			}
			validated := 0
			for id, block := range receivers {
				if id == "ebpf" || strings.HasPrefix(id, "ebpf/") {
					require.NoError(t, schema.Validate(jsonValue(t, block)), id)
					validated++
				}
			}
			require.Positive(t, validated)
		})
	}
}

// Each setting accepts its default.
func TestSchemaAcceptsDefaults(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	var root map[string]any
	require.NoError(t, json.Unmarshal(text, &root))
	compiler := jsonschema.NewCompiler()
	checked := 0
	var check func(pointer string, schema map[string]any)
	check = func(pointer string, schema map[string]any) {
		if value, ok := schema["default"]; ok {
			setting, err := compiler.Compile(schemaFile + "#" + pointer)
			require.NoError(t, err)
			require.NoError(t, setting.Validate(value))
			checked++
		}
		properties, _ := schema["properties"].(map[string]any)
		for key, inner := range properties {
			check(pointer+"/properties/"+key, inner.(map[string]any))
		}
	}
	check("", root)
	assert.Greater(t, checked, 100)
}

// The schema refuses every wrong configuration except for those in beyondSchema.
func TestSchemaRefuses(t *testing.T) {
	schema := compileSchema(t)
	wrong := map[string]string{}
	for _, tt := range invalidConfigs {
		wrong[tt.name] = withProgram(tt.config)
	}
	for _, tt := range unreadableConfigs {
		wrong[tt.name] = withProgram(tt.config)
	}
	require.Len(t, wrong, len(invalidConfigs)+len(unreadableConfigs), "names are unique")
	var accepted []string
	for name, config := range wrong {
		if schema.Validate(yamlValue(t, config)) == nil {
			accepted = append(accepted, name)
		}
	}
	assert.ElementsMatch(t, beyondSchema, accepted)
}
