// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

var errValue = errors.New("the values of attributes cannot be read")

// A string is written as its number in the file (odd) or as its length and its bytes (even).
func appendNumber(to []byte, number int64) []byte {
	return binary.AppendUvarint(to, uint64(number)<<1|1)
}

func appendString(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))<<1), text...)
}

// appendValue appends a value without its type, which the shape has. Values in lists and maps are written with their types.
func appendValue(to []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendString(to, v.Str())
	case pcommon.ValueTypeInt:
		return binary.AppendVarint(to, v.Int())
	case pcommon.ValueTypeDouble:
		return binary.LittleEndian.AppendUint64(to, math.Float64bits(v.Double()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return append(to, 1)
		}
		return append(to, 0)
	case pcommon.ValueTypeBytes:
		to = binary.AppendUvarint(to, uint64(v.Bytes().Len()))
		return append(to, v.Bytes().AsRaw()...)
	case pcommon.ValueTypeSlice:
		to = binary.AppendUvarint(to, uint64(v.Slice().Len()))
		for _, element := range v.Slice().All() {
			to = appendValue(append(to, byte(element.Type())), element)
		}
	case pcommon.ValueTypeMap:
		to = binary.AppendUvarint(to, uint64(v.Map().Len()))
		for key, element := range v.Map().All() {
			to = append(binary.AppendUvarint(to, uint64(len(key))), key...)
			to = appendValue(append(to, byte(element.Type())), element)
		}
	default: // nothing to write
	}
	return to
}

// values reads the values that appendValue has written.
type values struct {
	rest []byte
	text func(number int64) (string, error)
	err  error
}

func (d *values) fail() {
	if d.err == nil {
		d.err = errValue
	}
	d.rest = nil
}

func (d *values) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *values) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *values) bytes(length uint64) []byte {
	if length > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:length]
	d.rest = d.rest[length:]
	return b
}

// length reads the number of elements. Each takes at least a byte.
func (d *values) length() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *values) kind() pcommon.ValueType {
	if b := d.bytes(1); b != nil {
		return pcommon.ValueType(b[0])
	}
	return pcommon.ValueTypeEmpty
}

// value reads a value of this type.
func (d *values) value(kind pcommon.ValueType, to pcommon.Value) {
	switch kind {
	case pcommon.ValueTypeStr:
		to.SetStr(d.string())
	case pcommon.ValueTypeInt:
		to.SetInt(d.varint())
	case pcommon.ValueTypeDouble:
		if b := d.bytes(8); b != nil {
			to.SetDouble(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	case pcommon.ValueTypeBool:
		if b := d.bytes(1); b != nil {
			to.SetBool(b[0] != 0)
		}
	case pcommon.ValueTypeBytes:
		to.SetEmptyBytes().FromRaw(d.bytes(d.uvarint()))
	case pcommon.ValueTypeSlice:
		list := to.SetEmptySlice()
		for range d.length() {
			d.value(d.kind(), list.AppendEmpty())
		}
	case pcommon.ValueTypeMap:
		m := to.SetEmptyMap()
		for range d.length() {
			key := string(d.bytes(d.uvarint()))
			d.value(d.kind(), m.PutEmpty(key))
		}
	default: // it is empty already
	}
}

func (d *values) string() string {
	v := d.uvarint()
	if v&1 == 0 {
		return string(d.bytes(v >> 1))
	}
	text, err := d.text(int64(v >> 1))
	if err != nil && d.err == nil {
		d.err = err
	}
	return text
}

// skip skips a value of this type.
func (d *values) skip(kind pcommon.ValueType) {
	switch kind {
	case pcommon.ValueTypeStr:
		if v := d.uvarint(); v&1 == 0 {
			d.bytes(v >> 1)
		}
	case pcommon.ValueTypeInt:
		d.uvarint()
	case pcommon.ValueTypeDouble:
		d.bytes(8)
	case pcommon.ValueTypeBool:
		d.bytes(1)
	default:
		d.value(kind, pcommon.NewValueEmpty())
	}
}
