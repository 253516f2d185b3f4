// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// marshal returns types as raw BTF, like /sys/kernel/btf/vmlinux.
func marshal(tb testing.TB, types ...btf.Type) []byte {
	tb.Helper()
	builder, err := btf.NewBuilder(types, nil)
	require.NoError(tb, err)
	raw, err := builder.Marshal(nil, btf.KernelMarshalOptions())
	require.NoError(tb, err)
	return raw
}

func specOf(tb testing.TB, types ...btf.Type) *btf.Spec {
	tb.Helper()
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(marshal(tb, types...)))
	require.NoError(tb, err)
	return spec
}

// tracepoint returns the type of a raw tracepoint with a number of arguments.
func tracepoint(name string, args int) btf.Type {
	proto := &btf.FuncProto{Return: (*btf.Void)(nil)}
	for range args + 1 {
		proto.Params = append(proto.Params, btf.FuncParam{Type: &btf.Pointer{Target: (*btf.Void)(nil)}})
	}
	return &btf.Typedef{Name: "btf_trace_" + name, Type: &btf.Pointer{Target: proto}}
}

// Numbers of types in a file are not those that the kernel knows.
func TestCastsOnlyByTheKernelsOwnTypes(t *testing.T) {
	cast := &btf.Func{Name: "bpf_rdonly_cast", Type: &btf.FuncProto{Return: (*btf.Void)(nil)}, Linkage: btf.StaticFunc}
	b := &BTF{types: specOf(t, cast)}
	assert.True(t, b.CanCast())
	b.external = true
	assert.False(t, b.CanCast())
	b = &BTF{types: specOf(t, tracepoint("kfree_skb", 3))}
	assert.False(t, b.CanCast())
}

func TestLoadBTFFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kernel.btf")
	raw := marshal(t, enumOf("color", "RED", 3, "BLUE", 1<<31), tracepoint("kfree_skb", 3))
	require.NoError(t, os.WriteFile(path, raw, 0o600))

	b, err := LoadBTF(path)
	require.NoError(t, err)

	value, ok := b.EnumValue("color", "BLUE")
	assert.True(t, ok)
	assert.Equal(t, uint64(1<<31), value)
	_, ok = b.EnumValue("color", "GREEN")
	assert.False(t, ok)
	_, ok = b.EnumValue("shape", "RED")
	assert.False(t, ok)

	assert.Equal(t, map[uint64]string{1 << 31: "ue"}, b.EnumNames("color", "BL"))
	assert.Empty(t, b.EnumNames("shape", ""))

	args, ok := b.TracepointArgs("kfree_skb")
	assert.True(t, ok)
	assert.Equal(t, 3, args)
	_, ok = b.TracepointArgs("consume_skb")
	assert.False(t, ok)

	var opts ebpf.CollectionOptions
	b.Apply(&opts)
	assert.NotNil(t, opts.Programs.KernelTypes, "programs must be loaded with the types of the file")
}

func TestFunctionArgs(t *testing.T) {
	pointer := &btf.Pointer{Target: (*btf.Void)(nil)}
	proto := &btf.FuncProto{Return: (*btf.Void)(nil), Params: []btf.FuncParam{{Name: "a", Type: pointer}, {Name: "b", Type: pointer}}}
	b := &BTF{types: specOf(t, &btf.Func{Name: "vfs_rmdir", Type: proto}, &btf.Typedef{Name: "vfs_unlink", Type: pointer})}
	args, ok := b.FunctionArgs("vfs_rmdir")
	assert.True(t, ok)
	assert.Equal(t, 2, args)
	for _, name := range []string{"vfs_unlink", "vfs_rename"} {
		_, ok = b.FunctionArgs(name)
		assert.False(t, ok, name)
	}
}

func TestTracepointArgsOfOddTypes(t *testing.T) {
	b := &BTF{types: specOf(t,
		&btf.Typedef{Name: "btf_trace_int", Type: &btf.Int{Name: "int", Size: 4}},
		&btf.Typedef{Name: "btf_trace_pointer", Type: &btf.Pointer{Target: &btf.Int{Name: "int", Size: 4}}},
		&btf.Typedef{Name: "btf_trace_nothing", Type: &btf.Pointer{Target: &btf.FuncProto{Return: (*btf.Void)(nil)}}},
		&btf.Struct{Name: "btf_trace_struct", Size: 4},
	)}
	for _, name := range []string{"int", "pointer", "nothing", "struct"} {
		_, ok := b.TracepointArgs(name)
		assert.False(t, ok, name)
	}
}

func TestHasMember(t *testing.T) {
	number := &btf.Int{Name: "int", Size: 4}
	b := &BTF{types: specOf(t,
		&btf.Struct{Name: "pair", Size: 8, Members: []btf.Member{{Name: "a", Type: number}, {Name: "b", Type: number, Offset: 32}}},
		&btf.Struct{Name: "empty"},
		&btf.Typedef{Name: "number", Type: number},
	)}
	for name, want := range map[[2]string]bool{
		{"pair", "a"}: true, {"pair", "b"}: true, {"pair", "c"}: false, {"pair", ""}: false,
		{"empty", "a"}: false, {"number", "a"}: false, {"none", "a"}: false,
	} {
		assert.Equal(t, want, b.HasMember(name[0], name[1]), "%v", name)
	}
}

func TestLoadBTFErrors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.btf")
	_, err := LoadBTF(missing)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "btf_path")
	assert.ErrorContains(t, err, missing)

	broken := filepath.Join(t.TempDir(), "broken.btf")
	require.NoError(t, os.WriteFile(broken, []byte("no types"), 0o600))
	_, err = LoadBTF(broken)
	assert.ErrorContains(t, err, broken)
}

func TestKernelBTF(t *testing.T) {
	b := kernelBTF(t)

	queued, ok := b.EnumValue("bpf_map_type", "BPF_MAP_TYPE_RINGBUF")
	assert.True(t, ok)
	assert.Equal(t, uint64(ebpf.RingBuf), queued)

	args, ok := b.TracepointArgs("inet_sock_set_state")
	assert.True(t, ok)
	assert.Equal(t, 3, args, "sk, oldstate, newstate")
	args, ok = b.TracepointArgs("kfree_skb")
	assert.True(t, ok)
	assert.Contains(t, []int{2, 3, 4}, args, "skb and location; the reason since 5.17; the receiving socket since 6.11")

	var opts ebpf.CollectionOptions
	b.Apply(&opts)
	assert.NotNil(t, opts.Cache)
	assert.Nil(t, opts.Programs.KernelTypes, "the kernel's own types need no override")
}

// kernelBTF returns the types of the running kernel.
func kernelBTF(tb testing.TB) *BTF {
	tb.Helper()
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	need(tb, err == nil, "this machine has no /sys/kernel/btf/vmlinux")
	b, err := LoadBTF("")
	require.NoError(tb, err)
	return b
}

// enumOf returns an enum of names, each followed by its value.
func enumOf(name string, namesAndValues ...any) *btf.Enum {
	e := &btf.Enum{Name: name, Size: 4}
	for i := 0; i < len(namesAndValues); i += 2 {
		e.Values = append(e.Values, btf.EnumValue{
			Name: namesAndValues[i].(string), Value: uint64(namesAndValues[i+1].(int)),
		})
	}
	return e
}

func BenchmarkLoadBTF(b *testing.B) {
	kernelBTF(b)
	b.ReportAllocs()
	for b.Loop() {
		loaded, err := LoadBTF("")
		require.NoError(b, err)
		loaded.DropReasons()
	}
}
