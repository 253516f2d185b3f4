// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sizes are those of the architectures that Go runs on; both have the same.
var sizes = types.SizesFor("gc", "amd64")

// layout is a struct that Go and C have both, in one object for one architecture.
type layout struct {
	c      *btf.Struct
	goType *types.Struct
}

// isRecord returns whether the struct goes through the ring buffer: by its name, too, so that one without a header is found.
func (l layout) isRecord() bool {
	return l.c.Name == "record" || l.c.Name == "event" || strings.HasSuffix(l.c.Name, "_event") ||
		len(l.c.Members) > 0 && l.c.Members[0].Name == "record"
}

// onlyStructs imports package structs, whose HostLayout has no size, and nothing else.
type onlyStructs struct{}

func (onlyStructs) Import(path string) (*types.Package, error) {
	if path != "structs" {
		return nil, errors.New("not imported")
	}
	structs := types.NewPackage(path, path)
	mark := types.NewTypeName(token.NoPos, structs, "HostLayout", nil)
	types.NewNamed(mark, types.NewStruct(nil, nil), nil)
	structs.Scope().Insert(mark)
	structs.MarkComplete()
	return structs, nil
}

// eachLayout calls f for each struct that bpf2go made a Go type of, in each object, for each architecture.
func eachLayout(t *testing.T, f func(t *testing.T, l layout)) {
	t.Helper()
	for _, o := range objects(t) {
		for _, architecture := range architectures {
			cStructs := map[string]*btf.Struct{}
			for c, err := range o.spec(t, architecture).Types.All() {
				require.NoError(t, err)
				if s, ok := c.(*btf.Struct); ok && s.Name != "" && !strings.Contains(s.Name, "___") {
					cStructs[strings.ReplaceAll(s.Name, "_", "")] = s
				}
			}
			for name, goType := range generatedStructs(t, o.goFile(architecture)) {
				c := cStructs[name]
				t.Run(string(o)+"/"+architecture+"/"+name, func(t *testing.T) {
					require.NotNil(t, c, "the object has no such struct")
					f(t, layout{c: c, goType: goType})
				})
			}
		}
	}
}

// generatedStructs returns the structs that a generated file declares for C structs, by the name of that in lower case.
func generatedStructs(t *testing.T, path string) map[string]*types.Struct {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	// The other imports are for what bpf2go adds to the types.
	config := types.Config{Importer: onlyStructs{}, Error: func(error) {}}
	pkg, _ := config.Check(path, files, []*ast.File{file}, nil)
	require.NotNil(t, pkg)
	prefix := ""
	for _, name := range pkg.Scope().Names() {
		if p, ok := strings.CutPrefix(name, "Load"); ok && !strings.HasSuffix(name, "Objects") {
			prefix = p
		}
	}
	require.NotEmpty(t, prefix, "%s loads nothing", path)
	found := map[string]*types.Struct{}
	for _, name := range pkg.Scope().Names() {
		object, ok := pkg.Scope().Lookup(name).(*types.TypeName)
		if !ok {
			continue
		}
		s, ok := object.Type().Underlying().(*types.Struct)
		// bpf2go's own types have tags, or other structs, in place of a layout.
		if ok && s.NumFields() > 0 && s.Field(0).Name() == "_" {
			found[strings.ToLower(strings.TrimPrefix(name, prefix))] = s
		}
	}
	return found
}

// The Go types are the C structs of the objects of both architectures. The records of all objects begin alike, and what
// they share has one type.
func TestGoTypesAreTheStructs(t *testing.T) {
	eachLayout(t, func(t *testing.T, l layout) { compareStruct(t, l.c.Name, l.c, l.goType) })
}

// Bytes between or behind the members would have old contents of kernel memory: records would leak them.
func TestRecordsHaveNoHoles(t *testing.T) {
	records := 0
	eachLayout(t, func(t *testing.T, l layout) {
		assertWhole(t, l.c)
		if !l.isRecord() {
			return
		}
		records++
		if l.c.Name != "record" {
			assert.Equal(t, "record", l.c.Members[0].Name, "%s begins with its header", l.c.Name)
			assert.Zero(t, l.c.Members[0].Offset, "%s begins with its header", l.c.Name)
		}
		assert.Zero(t, l.c.Size%8, "a Go type is as long as the record in the ring, which is aligned to 8 bytes")
	})
	assert.Greater(t, records, 2*len(architectures), "there are records")
}

// Two keys that are equal would not be the same.
func TestKeysHaveNoHoles(t *testing.T) {
	for _, o := range objects(t) {
		for _, m := range o.spec(t, "x86").Maps {
			if key, ok := btf.UnderlyingType(m.Key).(*btf.Struct); ok {
				assertWhole(t, key)
			}
		}
	}
}

func compareType(t *testing.T, path string, c btf.Type, goType types.Type) {
	t.Helper()
	switch c := btf.UnderlyingType(c).(type) {
	case *btf.Struct:
		inner, ok := goType.Underlying().(*types.Struct)
		require.True(t, ok, path)
		compareStruct(t, path, c, inner)
	case *btf.Array:
		inner, ok := goType.Underlying().(*types.Array)
		if assert.True(t, ok, path) && assert.EqualValues(t, c.Nelems, inner.Len(), path) {
			compareType(t, path+"[]", c.Type, inner.Elem())
		}
	case *btf.Int:
		inner, ok := goType.Underlying().(*types.Basic)
		require.True(t, ok, path)
		assert.EqualValues(t, c.Size, sizes.Sizeof(inner), path)
		signed := inner.Info()&types.IsInteger != 0 && inner.Info()&types.IsUnsigned == 0
		assert.Equal(t, c.Encoding == btf.Signed || c.Encoding == btf.Char, signed, "sign of %s", path)
	default:
		assert.Fail(t, "a type that has no place in a record", "%s: %v", path, c)
	}
}

func compareStruct(t *testing.T, path string, s *btf.Struct, goType *types.Struct) {
	t.Helper()
	assert.EqualValues(t, s.Size, sizes.Sizeof(goType), "size of %s", path)
	all := make([]*types.Var, goType.NumFields())
	for i := range all {
		all[i] = goType.Field(i)
	}
	offsets := sizes.Offsetsof(all)
	member := 0
	for i, field := range all {
		if field.Name() == "_" { // padding, or the mark of a layout
			continue
		}
		if !assert.Less(t, member, len(s.Members), "%s has more fields in Go", path) {
			return
		}
		m := s.Members[member]
		member++
		at := path + "." + m.Name
		assert.Equal(t, strings.ReplaceAll(m.Name, "_", ""), strings.ToLower(field.Name()), at)
		assert.EqualValues(t, m.Offset.Bytes(), offsets[i], "offset of %s", at)
		compareType(t, at, m.Type, field.Type())
	}
	assert.Equal(t, len(s.Members), member, "%s has fewer fields in Go", path)
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
