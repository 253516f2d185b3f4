// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/confmap"
)

// unmarshal reads a block of settings into a configuration. Its errors name each wrong key with its value and what is allowed,
// in words of the configuration instead of Go's. One value where a list is wanted is a list of one, and a key without a value keeps
// its default.
func unmarshal(conf *confmap.Conf, target any) error {
	keys := refuseMisplacedKeys(conf, target)
	r := valueReader{conf: conf, lists: map[string]any{}}
	r.readBlock("", conf.ToStringMap(), reflect.TypeOf(target).Elem())
	errs := append([]error{keys}, r.errs...)
	if len(r.lists) > 0 {
		errs = append(errs, conf.Merge(confmap.NewFromStringMap(r.lists)))
	}
	return errors.Join(append(errs, reword(conf, conf.Unmarshal(target)))...)
}

// valueReader checks the values of a block against the types of its settings. It removes wrong values from the block.
type valueReader struct {
	conf *confmap.Conf
	// lists are the paths of values that become lists of one.
	lists map[string]any
	errs  []error
}

func (r *valueReader) refuse(path, format string, args ...any) {
	r.conf.Delete(path)
	r.errs = append(r.errs, fmt.Errorf(path+": "+format, args...))
}

func (r *valueReader) readBlock(prefix string, block map[string]any, t reflect.Type) {
	fields := configFields(t)
	for _, key := range slices.Sorted(maps.Keys(block)) {
		field, ok := fields[key]
		if !ok {
			continue // it is refused already
		}
		path := prefix + key
		switch value := block[key].(type) {
		case nil:
			if field.Kind() != reflect.Struct && field.Kind() != reflect.Map {
				r.conf.Delete(path) // the decoder would replace the default by zero
			}
		case map[string]any:
			switch field.Kind() {
			case reflect.Struct:
				r.readBlock(path+confmap.KeyDelimiter, value, field)
			case reflect.Map:
			case reflect.Slice:
				r.refuse(path, "a block of settings is here; write a list of values")
			default:
				r.refuse(path, "a block of settings is here; write one value")
			}
		case []any:
			r.readList(path, value, field)
		default:
			r.readScalar(path, value, field)
		}
	}
}

func (r *valueReader) readList(path string, list []any, t reflect.Type) {
	if t.Kind() != reflect.Slice {
		r.refuse(path, "%v is a list; write one value", list)
		return
	}
	for _, value := range list {
		if problem := problemOf(value, t.Elem()); problem != "" {
			r.refuse(path, "%s", problem)
			return
		}
	}
}

func (r *valueReader) readScalar(path string, value any, t reflect.Type) {
	if t.Kind() == reflect.Slice && !readsText(t) {
		r.readList(path, []any{value}, t)
		if r.conf.IsSet(path) {
			r.lists[path] = []any{value}
		}
		return
	}
	if problem := problemOf(value, t); problem != "" {
		r.refuse(path, "%s", problem)
	}
}

// readsText reports whether a type parses text by itself.
func readsText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[confmap.Unmarshaler]())
}

// problemOf returns why a value cannot have a type; "" if it can, or if another check reports it.
func problemOf(value any, t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return problemOfDuration(value)
	case readsText(t):
		return ""
	case t.Kind() == reflect.Bool:
		if _, ok := value.(bool); !ok {
			return fmt.Sprintf("%q is neither true nor false", fmt.Sprint(value))
		}
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return problemOfNumber(value)
	}
	return ""
}

func problemOfDuration(value any) string {
	switch v := value.(type) {
	case string:
		if _, err := time.ParseDuration(v); err != nil {
			return fmt.Sprintf("%q is not a duration; write a number with its unit, such as 200ms or 10s", v)
		}
	case time.Duration:
	case int:
		if v != 0 {
			return fmt.Sprintf("%d has no unit; write a duration such as %dms or %ds", v, v, v)
		}
	default:
		return fmt.Sprintf("%v is not a duration; write a number with its unit, such as 200ms or 10s", v)
	}
	return ""
}

func problemOfNumber(value any) string {
	switch v := value.(type) {
	case uint64:
		return fmt.Sprintf("%d is too large", v)
	case float64:
		if math.Abs(v) >= math.MaxInt64 {
			return fmt.Sprintf("%.0f is too large", v)
		}
		return fmt.Sprintf("%v is not a whole number", v)
	}
	if v := reflect.ValueOf(value); v.CanInt() || v.CanUint() {
		return ""
	}
	return fmt.Sprintf("%q is not a whole number", fmt.Sprint(value))
}

// wrongType matches the decoder's error for a value of a wrong type, with its key and its place in a list.
var wrongType = regexp.MustCompile(`'([^'[]*)(?:\[(\d+)\])?' expected type '[^']*', got unconvertible type '[^']*'`)

// reword translates an error of the decoder from Go's terms to those of the configuration. The decoder does not convert
// numbers to text.
func reword(conf *confmap.Conf, err error) error {
	if err == nil || !wrongType.MatchString(err.Error()) {
		return err
	}
	text := wrongType.ReplaceAllStringFunc(err.Error(), func(found string) string {
		m := wrongType.FindStringSubmatch(found)
		path := strings.ReplaceAll(m[1], ".", confmap.KeyDelimiter)
		value := conf.Get(path)
		if list, ok := value.([]any); ok {
			if i, err := strconv.Atoi(m[2]); err == nil && i < len(list) {
				value = list[i]
			}
		}
		return fmt.Sprintf(`%s: %v is not a text; write it in quotes: "%v"`, path, value, value)
	})
	return errors.New(text)
}
