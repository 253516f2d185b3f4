// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// object is a compiled object with the C structs that Go reads or writes, and their Go types.
type object struct {
	file string
	// records begin with a header and go through the ring buffer; values go through maps.
	records, values map[string]any
}

var objects = []object{
	{
		file:    "socket",
		records: map[string]any{"record": SocketRecord{}},
		values: map[string]any{
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "cgroup",
		records: map[string]any{"event": CgroupEvent{}, "record": SocketRecord{}},
		values:  map[string]any{"losses": SocketLosses{}},
	},
	{
		file:    "connection",
		records: map[string]any{"event": ConnectionEvent{}, "unix_event": ConnectionUnixEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": ConnectionSeries{}, "counts": ConnectionCounts{}, "histogram": ConnectionHistogram{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "oom",
		records: map[string]any{"event": OomEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": OomSeries{}, "counts": OomCounts{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "filedescriptor",
		records: map[string]any{"event": FileDescriptorEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"table": FileDescriptorTable{}, "scan": FileDescriptorScan{}, "leak": FileDescriptorLeak{},
			"series": FileDescriptorSeries{}, "counts": FileDescriptorCounts{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "process",
		records: map[string]any{"event": ProcessEvent{}, "exec_event": ProcessExecEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": ProcessSeries{}, "counts": ProcessCounts{}, "arguments": ProcessArguments{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "file",
		records: map[string]any{"event": FileEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": FileSeries{}, "counts": FileCounts{}, "prefix": FilePrefix{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "packetdrop",
		records: map[string]any{"event": PacketDropEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": PacketDropSeries{}, "counts": PacketDropCounts{}, "code": PacketDropCode{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "syscall",
		records: map[string]any{"event": SyscallEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": SyscallSeries{}, "counts": SyscallCounts{}, "container_id": SyscallContainerId{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "packet",
		records: map[string]any{"event": PacketEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": PacketSeries{}, "counts": PacketCounts{}, "interface": PacketInterface{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "diskio",
		records: map[string]any{"event": DiskIOEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": DiskIOSeries{}, "counts": DiskIOCounts{}, "histogram": DiskIOHistogram{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "runqueue",
		records: map[string]any{"event": RunqueueEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": RunqueueSeries{}, "histogram": RunqueueHistogram{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
	{
		file:    "tcp",
		records: map[string]any{"event": TCPEvent{}, "record": SocketRecord{}},
		values: map[string]any{
			"series": TCPSeries{}, "counts": TCPCounts{}, "histogram": TCPHistogram{},
			"owner": SocketOwner{}, "losses": SocketLosses{},
			"cidr": SocketCidr{}, "executable": SocketExecutable{}, "ports": SocketPorts{},
		},
	},
}

// each calls f for each struct of each object, for both architectures.
func each(t *testing.T, f func(t *testing.T, s *btf.Struct, goType reflect.Type, record bool)) {
	for _, o := range objects {
		for _, arch := range []string{"x86", "arm64"} {
			spec, err := ebpf.LoadCollectionSpec(o.file + "_" + arch + "_bpfel.o")
			require.NoError(t, err)
			for record, types := range map[bool]map[string]any{true: o.records, false: o.values} {
				for name, value := range types {
					t.Run(o.file+"/"+arch+"/"+name, func(t *testing.T) {
						var s *btf.Struct
						require.NoError(t, spec.Types.TypeByName(name, &s))
						f(t, s, reflect.TypeOf(value), record)
					})
				}
			}
		}
	}
}

// The Go types, generated on one architecture, are the C structs of the objects of both. The records of all objects
// begin alike, and what they share has one type.
func TestGoTypesAreTheStructs(t *testing.T) {
	each(t, func(t *testing.T, s *btf.Struct, goType reflect.Type, _ bool) {
		compareStruct(t, s.Name, s, goType)
	})
}

// Bytes between or behind the members would be whatever lay in the kernel's memory before: records would tell tales.
func TestRecordsHaveNoHoles(t *testing.T) {
	each(t, func(t *testing.T, s *btf.Struct, _ reflect.Type, record bool) {
		assertWhole(t, s)
		if record {
			assert.Zero(t, s.Size%8, "a Go type is as long as the record in the ring, which is aligned to 8 bytes")
		}
	})
}

// Two keys that are equal would not be the same.
func TestKeysHaveNoHoles(t *testing.T) {
	for _, o := range objects {
		spec, err := ebpf.LoadCollectionSpec(o.file + "_x86_bpfel.o")
		require.NoError(t, err)
		for _, m := range spec.Maps {
			if key, ok := btf.UnderlyingType(m.Key).(*btf.Struct); ok {
				assertWhole(t, key)
			}
		}
	}
}

func TestRecordsBeginWithTheHeader(t *testing.T) {
	each(t, func(t *testing.T, s *btf.Struct, goType reflect.Type, record bool) {
		if !record || s.Name == "record" {
			return
		}
		require.Equal(t, "record", s.Members[0].Name)
		assert.Zero(t, s.Members[0].Offset)
		assert.True(t, fields(goType)[0].Type.ConvertibleTo(reflect.TypeFor[Record]()))
	})
}

func compareType(t *testing.T, path string, c btf.Type, goType reflect.Type) {
	t.Helper()
	switch c := btf.UnderlyingType(c).(type) {
	case *btf.Struct:
		compareStruct(t, path, c, goType)
	case *btf.Array:
		if assert.Equal(t, reflect.Array, goType.Kind(), path) && assert.EqualValues(t, c.Nelems, goType.Len(), path) {
			compareType(t, path+"[]", c.Type, goType.Elem())
		}
	case *btf.Int:
		assert.EqualValues(t, c.Size, goType.Size(), path)
		signed := goType.Kind() >= reflect.Int && goType.Kind() <= reflect.Int64
		assert.Equal(t, c.Encoding == btf.Signed || c.Encoding == btf.Char, signed, "sign of %s", path)
	default:
		assert.Fail(t, "a type that has no place in a record", "%s: %v", path, c)
	}
}

func compareStruct(t *testing.T, path string, s *btf.Struct, goType reflect.Type) {
	t.Helper()
	assert.EqualValues(t, s.Size, goType.Size(), "size of %s", path)
	goFields := fields(goType)
	if !assert.Len(t, goFields, len(s.Members), path) {
		return
	}
	for i, m := range s.Members {
		at := path + "." + m.Name
		assert.Equal(t, strings.ReplaceAll(m.Name, "_", ""), strings.ToLower(goFields[i].Name), at)
		assert.EqualValues(t, m.Offset.Bytes(), goFields[i].Offset, "offset of %s", at)
		compareType(t, at, m.Type, goFields[i].Type)
	}
}

// fields returns the fields of a struct that stand for members in C.
func fields(t reflect.Type) (all []reflect.StructField) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Name != "_" {
			all = append(all, f)
		}
	}
	return all
}

func assertWhole(t *testing.T, s *btf.Struct) {
	t.Helper()
	var end uint32
	for _, m := range s.Members {
		assert.Equal(t, end, m.Offset.Bytes(), "%s.%s follows the member before it", s.Name, m.Name)
		size, err := btf.Sizeof(m.Type)
		require.NoError(t, err)
		end = m.Offset.Bytes() + uint32(size)
		if inner, ok := btf.UnderlyingType(m.Type).(*btf.Struct); ok {
			assertWhole(t, inner)
		}
	}
	assert.Equal(t, s.Size, end, "%s ends with its last member", s.Name)
}
