// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// settingOf returns the documentation of a key.
func settingOf(t *testing.T, key string) program.Setting {
	t.Helper()
	all := settings
	if own, ok := strings.CutPrefix(key, "programs"+confmap.KeyDelimiter); ok {
		name, rest, _ := strings.Cut(own, confmap.KeyDelimiter)
		i := slices.IndexFunc(programs, func(d program.Definition) bool { return d.Name == name })
		require.GreaterOrEqual(t, i, 0, key)
		all, key = programs[i].Settings, rest
		if common, ok := program.CommonSettings[key]; ok {
			return common
		}
	}
	require.Contains(t, all, key, "a setting without documentation")
	return all[key]
}

// The documentation has no key that does not exist.
func TestDocumentedSettingsExist(t *testing.T) {
	exist := map[string]bool{}
	for _, d := range settingDefaults(t) {
		exist[d.key] = true
	}
	for key := range settings {
		assert.Contains(t, exist, key)
	}
	for _, d := range programs {
		for key := range d.Settings {
			assert.Contains(t, exist, strings.Join([]string{"programs", d.Name, key}, confmap.KeyDelimiter))
		}
	}
	for key := range program.CommonSettings {
		ofOne := func(d program.Definition) bool {
			return exist[strings.Join([]string{"programs", d.Name, key}, confmap.KeyDelimiter)]
		}
		assert.True(t, slices.ContainsFunc(programs, ofOne), key)
	}
}

// unitOf returns the unit of a setting with its bounds.
func unitOf(s program.Setting) string {
	if s.Range == nil {
		return s.Unit
	}
	least, most := s.Range.Text()
	if s.Unit == program.UnitDuration {
		return fmt.Sprintf("duration from %s to %s", least, most)
	}
	return fmt.Sprintf("%s, %s to %s", s.Unit, least, most)
}

// settingDefault is a key of the configuration with its default.
type settingDefault struct{ key, value string }

// settingDefaults returns all keys in the order of the configuration's fields. Switches of events, metrics and resource
// attributes are alike, so each kind is listed once, with a placeholder for the name.
func settingDefaults(t *testing.T) []settingDefault {
	t.Helper()
	var all []settingDefault
	add := func(key, value string) {
		for _, d := range all {
			if d.key == key {
				require.Equal(t, d.value, value, "the table gives one default for all of %s", key)
				return
			}
		}
		all = append(all, settingDefault{key, value})
	}
	walkSettings("", reflect.ValueOf(createDefaultConfig()).Elem(), add)
	for _, definition := range programs {
		prefix := "programs" + confmap.KeyDelimiter + definition.Name + confmap.KeyDelimiter
		walkSettings(prefix, reflect.ValueOf(definition.DefaultConfig()).Elem(), add)
	}
	return all
}

func walkSettings(prefix string, v reflect.Value, add func(key, value string)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case !field.IsExported(), field.Type == reflect.TypeFor[Programs]():
		case options == "squash":
			walkSettings(prefix, v.Field(i), add)
		case field.Type.Kind() != reflect.Struct:
			add(prefix+key, defaultText(v.Field(i)))
		default:
			if field.Type.PkgPath() == reflect.TypeFor[metadata.EventConfig]().PkgPath() && prefix != "" {
				key = placeholder(prefix)
			}
			walkSettings(prefix+key+confmap.KeyDelimiter, v.Field(i), add)
		}
	}
}

// placeholder returns the placeholder for a name in a block of generated names.
func placeholder(prefix string) string {
	return map[string]string{"events::": "<event>", "metrics::": "<metric>", "resource_attributes::": "<attribute>"}[prefix]
}

func defaultText(v reflect.Value) string {
	if text, ok := reflect.TypeAssert[fmt.Stringer](v); ok && v.Type() != reflect.TypeFor[time.Duration]() {
		return code(text.String())
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "no limit"
		}
		return defaultText(v.Elem())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = fmt.Sprint(v.Index(i))
		}
		return code("[" + strings.Join(items, ", ") + "]")
	default:
		return code(cmp.Or(fmt.Sprint(v), `""`))
	}
}

func code(text string) string { return "`" + text + "`" }
