// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// durationPattern matches what time.ParseDuration accepts, without a sign.
const durationPattern = `^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$|^0$`

// configSchema returns the JSON Schema of the receiver's configuration.
func configSchema(t *testing.T) program.Schema {
	t.Helper()
	s := schemaMaker{t, signalDescriptions(t)}
	root := s.block("", reflect.ValueOf(createDefaultConfig()).Elem())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Configuration of the receiver ebpf"
	root["required"] = []any{"programs"}
	properties := root["properties"].(program.Schema)
	blocks := program.Schema{}
	for _, d := range programs {
		block := s.block("programs"+confmap.KeyDelimiter+d.Name+confmap.KeyDelimiter, reflect.ValueOf(d.DefaultConfig()).Elem())
		block["description"] = d.Purpose
		block["examples"] = []any{yamlValue(t, exampleOf(d))}
		if d.DefaultConfig().Validate() != nil {
			requireSettings(block, d)
		}
		blocks[d.Name] = block
	}
	properties["programs"] = program.Schema{
		"type": "object", "description": "The programs that are to run; one runs when its key is there.",
		"properties": blocks, "additionalProperties": false, "minProperties": 1,
	}
	return root
}

// requireSettings makes settings without a default required: lists that must not be empty.
func requireSettings(block program.Schema, d program.Definition) {
	var required []any
	for key, setting := range d.Settings {
		if setting.Schema["minItems"] != nil {
			required = append(required, key)
		}
	}
	block["type"], block["required"] = "object", required
}

type schemaMaker struct {
	t *testing.T
	// descriptions are those of events, metrics and resource attributes, by block and name.
	descriptions map[string]string
}

// block returns the schema of a block of settings. A block without a value keeps its defaults.
func (s schemaMaker) block(prefix string, v reflect.Value) program.Schema {
	properties := program.Schema{}
	s.fields(prefix, prefix, v, properties)
	return program.Schema{"type": []any{"object", "null"}, "properties": properties, "additionalProperties": false}
}

// fields adds the settings of a struct. documented is the prefix with placeholders, which the documentation uses.
func (s schemaMaker) fields(prefix, documented string, v reflect.Value, properties program.Schema) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case !field.IsExported(), field.Type == reflect.TypeFor[Programs]():
		case options == "squash":
			s.fields(prefix, documented, v.Field(i), properties)
		case field.Type.Kind() != reflect.Struct:
			properties[key] = s.setting(documented+key, v.Field(i))
		default:
			inner := documented + key
			if field.Type.PkgPath() == reflect.TypeFor[metadata.EventConfig]().PkgPath() && prefix != "" {
				inner = documented + placeholder(documented)
			}
			block := program.Schema{}
			s.fields(prefix+key+confmap.KeyDelimiter, inner+confmap.KeyDelimiter, v.Field(i), block)
			properties[key] = program.Schema{"type": []any{"object", "null"}, "properties": block, "additionalProperties": false}
			if attributes := attributesOf(key); prefix == "metrics"+confmap.KeyDelimiter && attributes != nil {
				block["attributes"].(program.Schema)["items"].(program.Schema)["enum"] = attributes
			}
			if description := s.descriptions[prefix+key]; description != "" {
				properties[key].(program.Schema)["description"] = description
			}
		}
	}
}

// attributesOf returns the attributes of a metric, nil if there is no such metric.
func attributesOf(metric string) (attributes []any) {
	infos := reflect.ValueOf(metadata.MetricsInfo)
	for _, info := range infos.Fields() {
		if info.FieldByName("Name").String() == metric {
			return anys(info.FieldByName("Attributes").Interface().([]string))
		}
	}
	for _, h := range metadata.Histograms() {
		if h.Name == metric {
			return anys(h.Attributes)
		}
	}
	return nil
}

func anys(list []string) (all []any) {
	for _, one := range list {
		all = append(all, one)
	}
	return all
}

// setting returns the schema of one setting.
func (s schemaMaker) setting(key string, v reflect.Value) program.Schema {
	setting := settingOf(s.t, key)
	schema := schemaOf(v.Type())
	if setting.Range != nil {
		maps.Copy(schema, setting.Range.Schema())
	}
	for keyword, value := range setting.Schema {
		if items, ok := value.(program.Schema); ok && keyword == "items" {
			maps.Copy(schema["items"].(program.Schema), items)
			continue
		}
		schema[keyword] = value
	}
	if schema["anyOf"] != nil {
		delete(schema, "type")
	}
	schema["description"] = setting.Meaning
	if unit := unitOf(setting); unit != "" {
		schema["description"] = fmt.Sprintf("%s In: %s.", setting.Meaning, unit)
	}
	if value, ok := defaultValue(v); ok && (setting.Schema["minItems"] == nil || v.Len() > 0) {
		schema["default"] = value
	}
	return schema
}

// schemaOf returns the schema of a setting's type.
func schemaOf(t reflect.Type) program.Schema {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return program.Schema{"type": "string", "pattern": durationPattern}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem())
	case t.Kind() == reflect.Slice:
		return program.Schema{"type": "array", "items": schemaOf(t.Elem())}
	case t.Kind() == reflect.Bool:
		return program.Schema{"type": "boolean"}
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return program.Schema{"type": "integer"}
	case t.Kind() == reflect.Float64:
		return program.Schema{"type": "number"}
	case t.Kind() == reflect.Struct: // a filter: exactly one of its fields
		properties, one := program.Schema{}, []any{}
		for field := range t.Fields() {
			if key := field.Tag.Get("mapstructure"); key != "" {
				properties[key] = schemaOf(field.Type)
				one = append(one, program.Schema{"required": []any{key}})
			}
		}
		return program.Schema{"type": "object", "properties": properties, "additionalProperties": false, "oneOf": one}
	default:
		return program.Schema{"type": "string"}
	}
}

// defaultValue returns the default of a setting as a configuration would have it, if there is one.
func defaultValue(v reflect.Value) (any, bool) {
	switch value := v.Interface().(type) {
	case time.Duration:
		return value.String(), true
	case metadata.MetricAttributes:
		return nil, false // all
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		return string(text), err == nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, false
		}
		return defaultValue(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return []any{}, true
		}
	default:
	}
	return v.Interface(), true
}

// signalDescriptions returns the descriptions of events, metrics and resource attributes in metadata.yaml by key.
func signalDescriptions(t *testing.T) map[string]string {
	t.Helper()
	conf, err := confmaptest.LoadConf("metadata.yaml")
	require.NoError(t, err)
	type described struct {
		Description string `mapstructure:"description"`
	}
	var declared struct {
		ResourceAttributes map[string]described `mapstructure:"resource_attributes"`
		Events             map[string]described `mapstructure:"events"`
		Metrics            map[string]described `mapstructure:"metrics"`
	}
	require.NoError(t, conf.Unmarshal(&declared, confmap.WithIgnoreUnused()))
	for _, h := range metadata.Histograms() {
		declared.Metrics[h.Name] = described{h.Description}
	}
	descriptions := map[string]string{}
	for block, signals := range map[string]map[string]described{
		"events": declared.Events, "metrics": declared.Metrics, "resource_attributes": declared.ResourceAttributes,
	} {
		for name, signal := range signals {
			descriptions[block+confmap.KeyDelimiter+name] = signal.Description
		}
	}
	return descriptions
}

// yamlValue converts a YAML value to its JSON form.
func yamlValue(t *testing.T, text string) any {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	require.NoError(t, err)
	raw, err := retrieved.AsRaw()
	require.NoError(t, err)
	return jsonValue(t, raw)
}

func jsonValue(t *testing.T, raw any) any {
	t.Helper()
	encoded, err := json.Marshal(raw)
	require.NoError(t, err)
	var value any
	require.NoError(t, json.Unmarshal(encoded, &value))
	return value
}
