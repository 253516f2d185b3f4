// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"strings"
	"time"
)

// Setting documents a key of the configuration, beside its default. The tables of settings and the JSON Schema of the
// configuration are generated from it.
type Setting struct {
	// Meaning is one or more sentences in Markdown.
	Meaning string
	// Unit is the unit of the value, or what a list contains; "" if that is obvious.
	Unit string
	// Range is the bounds of a number or a duration; nil for none.
	Range Bounds
	// Schema has JSON Schema keywords beyond those of the type and of Range, such as "enum".
	Schema Schema
}

// Schema is a JSON Schema, or a part of one.
type Schema map[string]any

// UnitDuration is the Unit of durations.
const UnitDuration = "duration, such as 200ms"

// Strings returns the values of an enumeration as a JSON Schema takes them.
func Strings[S ~string](values ...S) []any {
	all := make([]any, len(values))
	for i, value := range values {
		all[i] = string(value)
	}
	return all
}

// Bounds are the bounds of a setting of any type.
type Bounds interface {
	// Text returns the least and the greatest value as users write them.
	Text() (least, most string)
	// Schema returns the bounds as far as JSON Schema can express them.
	Schema() Schema
}

// Range is the bounds of a setting of a program.
type Range[T int | time.Duration] struct {
	Least, Most T
	// Default is the value if the key is left out.
	Default T
	// Unit names the things counted, such as "processes"; "" for durations.
	Unit string
}

// Check returns an error with the key unless the value is in the range.
func (r Range[T]) Check(key string, value T) error {
	switch {
	case value >= r.Least && value <= r.Most:
		return nil
	case r.Unit != "":
		return fmt.Errorf("%s: %v is not a number of %s from %v to %v; leave the key out for %v", key, value, r.Unit, r.Least, r.Most, r.Default)
	default:
		return fmt.Errorf("%s: %v is not between %v and %v; leave the key out for %v", key, value, r.Least, r.Most, r.Default)
	}
}

// CheckEvents is Check for a setting that decides what is an event.
func (r Range[T]) CheckEvents(key string, value T, events string) error {
	if err := r.Check(key, value); err != nil {
		return fmt.Errorf("%w, or set events: false for no %s", err, events)
	}
	return nil
}

// Text implements Bounds.
func (r Range[T]) Text() (least, most string) { return boundText(r.Least), boundText(r.Most) }

// boundText writes whole minutes and hours without the zeros of time.Duration.
func boundText(bound any) string {
	text := fmt.Sprint(bound)
	if _, ok := bound.(time.Duration); ok {
		for _, unit := range []string{"m", "h"} {
			if strings.HasSuffix(text, unit+"0s") || strings.HasSuffix(text, unit+"0m") {
				text = text[:len(text)-len("0s")]
			}
		}
	}
	return text
}

// Schema implements Bounds. Durations are strings, for which a JSON Schema can only exclude zero.
func (r Range[T]) Schema() Schema {
	if _, ok := any(r.Least).(time.Duration); !ok {
		return Schema{"minimum": r.Least, "maximum": r.Most}
	}
	if r.Least > 0 {
		return Schema{"not": Schema{"pattern": `^[+-]?[0.]+(ns|us|µs|ms|s|m|h)?$`}}
	}
	return Schema{}
}
