// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// BTF is the type information of the running kernel and of its modules. It takes a few megabytes: load it once, share it
// between all programs, and close it when they are loaded. It is safe for concurrent use.
type BTF struct {
	// types holds the types of the kernel, or those of the external file if there is one.
	types *btf.Spec
	// external reports that types come from a file named by the user.
	external bool
	// module returns the types of a loaded module.
	module func(name string) (*btf.Spec, error)
	// cache shares what is decoded with the loading of programs.
	cache *btf.Cache
}

// LoadBTF reads the type information of the kernel from the file at path, raw BTF or an ELF file with a .BTF section.
// With an empty path it is the kernel's own, at /sys/kernel/btf/vmlinux.
func LoadBTF(path string) (*BTF, error) {
	cache := btf.NewCache()
	b := &BTF{external: path != "", module: cache.Module, cache: cache}
	var err error
	if b.external {
		b.types, err = btf.LoadSpec(path)
	} else {
		b.types, err = cache.Kernel()
	}
	if err != nil {
		return nil, btfError(path, err)
	}
	return b, nil
}

// btfError adds to err how to get type information.
func btfError(path string, err error) error {
	if path != "" {
		return fmt.Errorf("btf_path: no BTF can be read from %q: %w; name a file made for exactly this kernel, or leave btf_path out if /sys/kernel/btf/vmlinux exists", path, err)
	}
	return fmt.Errorf("no BTF at /sys/kernel/btf/vmlinux: %w; run a kernel built with CONFIG_DEBUG_INFO_BTF=y, and give a container the host's /sys; btf_path says only where the fields of this kernel are, not where programs attach", err)
}

// Close frees the type information. No other method may be called afterwards.
func (b *BTF) Close() { *b = BTF{} }

// Apply makes the loading of a collection use these types.
func (b *BTF) Apply(opts *ebpf.CollectionOptions) {
	opts.Cache = b.cache
	if b.external {
		opts.Programs.KernelTypes = b.types
	}
}

// EnumValue returns the value of an enumerator of an enum, both by their C names; ok is false if this kernel has no
// such enum or enumerator.
func (b *BTF) EnumValue(enum, enumerator string) (value uint64, ok bool) {
	for _, e := range enums(b.types, enum) {
		for _, v := range e.Values {
			if v.Name == enumerator {
				return v.Value, true
			}
		}
	}
	return 0, false
}

// AnonymousEnumValue returns the value of an enumerator of an enum without a name. It may have to look through all types.
func (b *BTF) AnonymousEnumValue(enumerator string) (value uint64, ok bool) {
	// What is decoded for this is of no use later.
	for t, err := range b.types.Copy().All() {
		if err != nil {
			return 0, false
		}
		e, isEnum := t.(*btf.Enum)
		if !isEnum || e.Name != "" {
			continue
		}
		for _, v := range e.Values {
			if v.Name == enumerator {
				return v.Value, true
			}
		}
	}
	return 0, false
}

// HasHelper reports whether the kernel has a BPF helper, named without the prefix bpf_, such as "check_mtu".
func (b *BTF) HasHelper(name string) bool {
	_, ok := b.EnumValue("bpf_func_id", "BPF_FUNC_"+name)
	return ok
}

// CanCast reports whether programs can change the type of a pointer, by the number that a type has in the kernel's own BTF.
func (b *BTF) CanCast() bool {
	_, ok := b.FunctionArgs("bpf_rdonly_cast")
	return ok && !b.external
}

// HasMember reports whether the kernel has a struct with that member.
func (b *BTF) HasMember(structure, member string) bool {
	types, err := b.types.AnyTypesByName(structure)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(types, func(t btf.Type) bool {
		s, ok := t.(*btf.Struct)
		return ok && slices.ContainsFunc(s.Members, func(m btf.Member) bool { return m.Name == member })
	})
}

// EnumNames returns the enumerators of an enum by their values, in lower case and without a prefix. Enumerators without
// the prefix are left out. The map is empty if this kernel has no such enum.
func (b *BTF) EnumNames(enum, prefix string) map[uint64]string {
	names := map[uint64]string{}
	for _, e := range enums(b.types, enum) {
		for _, v := range e.Values {
			if name, ok := strings.CutPrefix(v.Name, prefix); ok && names[v.Value] == "" {
				names[v.Value] = strings.ToLower(name)
			}
		}
	}
	return names
}

// TracepointArgs returns the number of arguments of a raw tracepoint, e.g. 4 for "kfree_skb" on Linux 6.11 and newer. ok
// is false if this kernel has no such tracepoint. Tracepoints of modules are not found.
func (b *BTF) TracepointArgs(name string) (args int, ok bool) {
	var def *btf.Typedef
	if err := b.types.TypeByName("btf_trace_"+name, &def); err != nil {
		return 0, false
	}
	ptr, ok := btf.UnderlyingType(def).(*btf.Pointer)
	if !ok {
		return 0, false
	}
	proto, ok := ptr.Target.(*btf.FuncProto)
	if !ok || len(proto.Params) == 0 {
		return 0, false
	}
	// The first parameter is the attached program's own data, not an argument of the tracepoint.
	return len(proto.Params) - 1, true
}

// FunctionArgs returns the number of arguments of a function of the kernel itself, not of a module, e.g. 4 for
// "vfs_unlink" on Linux 5.12 and newer. ok is false if this kernel has no such function.
func (b *BTF) FunctionArgs(name string) (args int, ok bool) {
	var function *btf.Func
	if err := b.types.TypeByName(name, &function); err != nil {
		return 0, false
	}
	proto, ok := function.Type.(*btf.FuncProto)
	if !ok {
		return 0, false
	}
	return len(proto.Params), true
}

// enumsOf returns the enums with that name, from the kernel's types and from those of the module if it is loaded.
func (b *BTF) enumsOf(enum, module string) []*btf.Enum {
	found := enums(b.types, enum)
	// A module's types refer to the kernel's own types by number, so an external file cannot be their base.
	if len(found) > 0 || b.external {
		return found
	}
	spec, err := b.module(module)
	if err != nil {
		return nil
	}
	return enums(spec, enum)
}

func enums(spec *btf.Spec, name string) []*btf.Enum {
	types, err := spec.AnyTypesByName(name)
	if err != nil {
		return nil
	}
	found := make([]*btf.Enum, 0, 1)
	for _, t := range types {
		if e, ok := t.(*btf.Enum); ok {
			found = append(found, e)
		}
	}
	return found
}
