// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
)

// section returns a spec with a section of 8 bytes and variables in it.
func section(variables ...*ebpf.VariableSpec) *ebpf.CollectionSpec {
	spec := &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{".rodata": {
			Name: ".rodata", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1,
			Contents: []ebpf.MapKV{{Key: uint32(0), Value: []byte{1, 2, 3, 4, 5, 6, 7, 8}}},
		}},
		Variables: map[string]*ebpf.VariableSpec{},
	}
	for _, v := range variables {
		spec.Variables[v.Name] = v
	}
	return spec
}

func TestInline(t *testing.T) {
	spec := section(
		&ebpf.VariableSpec{Name: "a", SectionName: ".rodata", Offset: 0, Value: []byte{11, 12}},
		&ebpf.VariableSpec{Name: "b", SectionName: ".rodata", Offset: 6, Value: []byte{17, 18}},
		&ebpf.VariableSpec{Name: "without a value", SectionName: ".bss", Offset: 90},
	)
	given := spec.Maps[".rodata"].Contents[0].Value.([]byte)
	require.NoError(t, inline(spec))
	assert.Equal(t, []ebpf.MapKV{{Key: uint32(0), Value: []byte{11, 12, 3, 4, 5, 6, 17, 18}}}, spec.Maps[".rodata"].Contents)
	assert.Empty(t, spec.Variables)
	assert.Equal(t, []byte{1, 2, 3, 4, 5, 6, 7, 8}, given, "other copies of the spec share these bytes")
}

func TestInlineRefuses(t *testing.T) {
	odd := section(&ebpf.VariableSpec{Name: "x", SectionName: ".rodata", Value: []byte{1}})
	odd.Maps[".rodata"].Contents[0].Value = uint64(1)
	empty := section(&ebpf.VariableSpec{Name: "x", SectionName: ".rodata", Value: []byte{1}})
	empty.Maps[".rodata"].Contents = nil
	for name, tt := range map[string]struct {
		spec *ebpf.CollectionSpec
		want string
	}{
		"no section": {
			section(&ebpf.VariableSpec{Name: "x", SectionName: ".data", Value: []byte{1}}), "variable x is in no section",
		},
		"empty section": {empty, "variable x is in no section"},
		"no bytes":      {odd, "variable x is outside of its section"},
		"behind the end": {
			section(&ebpf.VariableSpec{Name: "x", SectionName: ".rodata", Offset: 7, Value: []byte{1, 2}}), "variable x is outside of its section",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, inline(tt.spec), tt.want)
		})
	}
}

// The values of variables of the real objects end up in their sections.
func TestInlineRealObject(t *testing.T) {
	spec, err := bpf.LoadPacketDrop()
	require.NoError(t, err)
	v := spec.Variables[bpf.PacketDropVarEventLimit]
	require.NoError(t, v.Set(uint64(0x1122334455667788)))
	require.NoError(t, inline(spec))
	data := spec.Maps[v.SectionName].Contents[0].Value.([]byte)
	assert.Equal(t, v.Value, data[v.Offset:int(v.Offset)+len(v.Value)])
	assert.Contains(t, v.Value, byte(0x11))
}
