// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

// refuseMisplacedKeys removes from a configuration block, and from the blocks in it, every key that the struct has no
// field for, and every value in place of a block. It returns an error for each, with the known keys, which the
// collector's own error does not list.
func refuseMisplacedKeys(conf *confmap.Conf, target any) error {
	return errors.Join(misplacedKeys(conf, "", conf.ToStringMap(), reflect.TypeOf(target).Elem())...)
}

func misplacedKeys(conf *confmap.Conf, prefix string, block map[string]any, t reflect.Type) []error {
	known := configFields(t)
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(block)) {
		path := prefix + key
		field, ok := known[key]
		if !ok {
			conf.Delete(path)
			errs = append(errs, fmt.Errorf("%s: unknown key; the keys here are %s",
				path, strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
			continue
		}
		if field.Kind() != reflect.Struct && field.Kind() != reflect.Map {
			continue
		}
		switch value := block[key].(type) {
		case nil:
		case map[string]any:
			if field.Kind() == reflect.Struct {
				errs = append(errs, misplacedKeys(conf, path+confmap.KeyDelimiter, value, field)...)
			}
		default:
			conf.Delete(path)
			errs = append(errs, notABlock(path, value))
		}
	}
	return errs
}

func notABlock(path string, value any) error {
	return fmt.Errorf("%s: %v is not a block of settings; write keys with their values below it, or nothing for the defaults", path, value)
}

// configFields returns the types of a configuration struct's fields by their keys.
func configFields(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for field := range t.Fields() {
		key, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case !field.IsExported():
		case options == "squash":
			maps.Copy(fields, configFields(field.Type))
		case key != "" && key != "-":
			fields[key] = field.Type
		}
	}
	return fields
}
