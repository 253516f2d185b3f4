// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// shape is a list of attributes that log records share: keys and types in their order. A record with a shape stores only the
// values.
type shape struct {
	id         int64
	attributes []attribute
}

type attribute struct {
	key  string
	kind pcommon.ValueType
	// column has the value, unless it is inRest.
	column int
	role   role
	// hash is the hash of the key.
	hash uint64
	// isOther says that it is not an attribute but another part of the log record.
	isOther bool
	// counter is shared by all attributes of a file with this key.
	counter *counter
}

const inRest = -1

// role is a further meaning of an attribute.
type role uint8

const (
	noRole role = iota
	isContainer
	isCgroup
)

// counter counts the strings of a key that have a number.
type counter struct{ strings int }

// Parts of a log record that are rare or short are stored like attributes. Their keys are a single byte that is not valid UTF-8, so
// they cannot collide with those of attributes.
const (
	keyObserved     = "\xff" // as the difference to the time
	keySeverityText = "\xfe"
	keyTraceID      = "\xfd"
	keySpanID       = "\xfc"
	keyFlags        = "\xfb"
	keyBody         = "\xfa" // if it is not a string
	keyDropped      = "\xf9"
)

// escape precedes the key of an attribute that begins like one of the above.
const escape = '\xf8'

// appendAttribute appends an attribute to the key of a shape.
func appendAttribute(to []byte, key string, kind pcommon.ValueType) []byte {
	if key != "" && key[0] >= escape {
		key = string(append([]byte{escape}, key...))
	}
	return appendKey(to, key, kind)
}

// appendKey appends one attribute, or one of the parts above, to the key of a shape, which is also what the table shapes has.
func appendKey(to []byte, key string, kind pcommon.ValueType) []byte {
	to = binary.AppendUvarint(to, uint64(len(key)))
	to = append(to, key...)
	return append(to, byte(kind))
}

var errShape = errors.New("the list of attributes cannot be read")

// parseShape reads what appendKey has written. The same key always gives the same columns. Counters are nil for who writes nothing.
func parseShape(id int64, text []byte, counters map[string]*counter) (*shape, error) {
	s := &shape{id: id}
	var taken [event.Fields]bool
	for len(text) > 0 {
		length, n := binary.Uvarint(text)
		if n <= 0 || length >= uint64(len(text)-n) {
			return nil, errShape
		}
		a := attribute{key: string(text[n : n+int(length)]), kind: pcommon.ValueType(text[n+int(length)]), column: inRest}
		text = text[n+int(length)+1:]
		if a.key != "" && a.key[0] == escape {
			a.key = a.key[1:]
		} else {
			a.isOther = len(a.key) == 1 && a.key >= keyDropped
		}
		a.hash = hashText(a.key)
		if field, ok := event.Attributes[a.key]; ok && field.Type == a.kind && !taken[field.Field] {
			a.column = int(field.Field)
			taken[field.Field] = true
		}
		if a.kind == pcommon.ValueTypeStr {
			switch a.key {
			case event.ContainerID:
				a.role = isContainer
			case event.Cgroup:
				a.role = isCgroup
			}
		}
		if counters != nil {
			a.counter = counters[a.key]
			if a.counter == nil {
				a.counter = new(counter)
				counters[a.key] = a.counter
			}
		}
		s.attributes = append(s.attributes, a)
	}
	return s, nil
}

// find returns the attribute of a key, or nil.
func (s *shape) find(key string) *attribute {
	for i := range s.attributes {
		if a := &s.attributes[i]; a.key == key && !a.isOther {
			return a
		}
	}
	return nil
}
