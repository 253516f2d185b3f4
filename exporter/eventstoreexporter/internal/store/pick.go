// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// picker reads single attributes from the records of a file, which is ten times as fast as decoding the whole event. It represents a
// value by a number: the number of the string in the file or, if it is negative, that of a text in the picker.
type picker struct {
	// column is the position of the column shape in the statement. The columns origin and rest follow.
	column int
	texts  map[string]int64
	list   []string
	rest   []byte
}

// attribute returns an attribute of the current record of a statement, or of its resource. It must be one without a column.
func (k *picker) attribute(p *plan, stmt *statement, key string) (number int64, ok bool, err error) {
	s, err := p.shape(stmt.ColumnInt64(k.column))
	if err != nil {
		return 0, false, err
	}
	for i := range s.attributes {
		if a := &s.attributes[i]; a.key == key && !a.isOther {
			return k.at(p, stmt, s, i)
		}
	}
	o, err := p.origin(stmt.ColumnInt64(k.column + 1))
	if err != nil {
		return 0, false, err
	}
	if v, ok := o.Resource.Attributes().Get(key); ok {
		return k.number(v.AsString()), true, nil
	}
	return 0, false, nil
}

// at returns the attribute at a position in the shape.
func (k *picker) at(p *plan, stmt *statement, s *shape, place int) (int64, bool, error) {
	length := stmt.ColumnLen(k.column + 2)
	if cap(k.rest) < length {
		k.rest = make([]byte, length)
	}
	k.rest = k.rest[:length]
	stmt.ColumnBytes(k.column+2, k.rest)
	d := values{rest: k.rest, text: p.text}
	for i := range s.attributes[:place] {
		if a := &s.attributes[i]; a.column == inRest {
			d.skip(a.kind)
		}
	}
	kind := s.attributes[place].kind
	if kind == pcommon.ValueTypeStr {
		v := d.uvarint()
		if v&1 == 1 {
			return int64(v >> 1), true, d.err
		}
		return k.number(string(d.bytes(v >> 1))), true, d.err
	}
	v := pcommon.NewValueEmpty()
	d.value(kind, v)
	return k.number(v.AsString()), true, d.err
}

// number returns the negative number of a text.
func (k *picker) number(text string) int64 {
	number, ok := k.texts[text]
	if !ok {
		k.list = append(k.list, text)
		number = -int64(len(k.list))
		k.texts[text] = number
	}
	return number
}

func (k *picker) text(p *plan, number int64) (string, error) {
	if number < 0 {
		return k.list[-number-1], nil
	}
	return p.text(number)
}
