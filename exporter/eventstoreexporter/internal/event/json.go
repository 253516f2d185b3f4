// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// AppendMap appends attributes as a JSON object in their order, which a Go map would not keep.
func AppendMap(to []byte, m pcommon.Map) []byte {
	to = append(to, '{')
	first := true
	for key, v := range m.All() {
		if !first {
			to = append(to, ',')
		}
		first = false
		to = append(appendText(to, key), ':')
		to = appendValue(to, v)
	}
	return append(to, '}')
}

func appendValue(to []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendText(to, v.Str())
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(to, v.Int(), 10)
	case pcommon.ValueTypeDouble:
		if d := v.Double(); !math.IsNaN(d) && !math.IsInf(d, 0) {
			text, err := json.Marshal(d)
			if err == nil {
				return append(to, text...)
			}
		}
		return appendText(to, v.AsString())
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(to, v.Bool())
	case pcommon.ValueTypeBytes:
		return appendText(to, base64.StdEncoding.EncodeToString(v.Bytes().AsRaw()))
	case pcommon.ValueTypeSlice:
		to = append(to, '[')
		for i, element := range v.Slice().All() {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendValue(to, element)
		}
		return append(to, ']')
	case pcommon.ValueTypeMap:
		return AppendMap(to, v.Map())
	default:
		return append(to, "null"...)
	}
}

func appendText(to []byte, s string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return append(to, `""`...) // a string can always be encoded
	}
	return append(to, bytes.TrimRight(b.Bytes(), "\n")...)
}
