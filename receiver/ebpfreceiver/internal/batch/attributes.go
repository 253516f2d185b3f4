// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"
)

// Attributes gathers the attributes of one log record. Unlike pcommon.Map it does not look for each key among those that
// are there: nobody puts a key twice.
type Attributes struct{ builder xpdata.MapBuilder }

// Attributes returns the attributes of the next log record, none yet, with room for a number of them.
func (b *Batch) Attributes(capacity int) *Attributes {
	b.attributes.builder.EnsureCapacity(capacity)
	return &b.attributes
}

// PutStr puts a string.
func (a *Attributes) PutStr(key, value string) { a.builder.AppendEmpty(key).SetStr(value) }

// PutInt puts an integer.
func (a *Attributes) PutInt(key string, value int64) { a.builder.AppendEmpty(key).SetInt(value) }

// PutDouble puts a floating-point number.
func (a *Attributes) PutDouble(key string, value float64) {
	a.builder.AppendEmpty(key).SetDouble(value)
}

// PutBool puts a boolean.
func (a *Attributes) PutBool(key string, value bool) { a.builder.AppendEmpty(key).SetBool(value) }

// PutStrings puts a list of strings.
func (a *Attributes) PutStrings(key string, values []string) {
	list := a.PutSlice(key)
	list.EnsureCapacity(len(values))
	for _, value := range values {
		list.AppendEmpty().SetStr(value)
	}
}

// PutSlice puts a list and returns it, empty, for its elements to be added.
func (a *Attributes) PutSlice(key string) pcommon.Slice {
	return a.builder.AppendEmpty(key).SetEmptySlice()
}

// MoveTo makes the attributes those of an empty map.
func (a *Attributes) MoveTo(m pcommon.Map) { a.builder.UnsafeIntoMap(m) }
