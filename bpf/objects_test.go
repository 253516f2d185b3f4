// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// architectures are those that every program is compiled for, as bpf2go names them.
var architectures = []string{"x86", "arm64"}

// object is a program's compiled object, without the architecture: "file/file".
type object string

// objects returns those of all programs, and the one that all share.
func objects(t *testing.T) (all []object) {
	t.Helper()
	paths, err := filepath.Glob("*/*_x86_bpfel.o")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		all = append(all, object(strings.TrimSuffix(path, "_x86_bpfel.o")))
	}
	return all
}

func (o object) spec(t *testing.T, architecture string) *ebpf.CollectionSpec {
	t.Helper()
	spec, err := ebpf.LoadCollectionSpec(string(o) + "_" + architecture + "_bpfel.o")
	require.NoError(t, err)
	return spec
}

// goFile is the generated file with the Go types.
func (o object) goFile(architecture string) string {
	return string(o) + "_" + architecture + "_bpfel.go"
}

// One set of maps serves all objects, so each must declare those that it shares in the same way.
func TestSharedMapsAreDeclaredAlike(t *testing.T) {
	for _, architecture := range architectures {
		shared := object("common/common").spec(t, architecture)
		require.Contains(t, shared.Maps, common.MapRecords)
		for _, o := range objects(t) {
			spec := o.spec(t, architecture)
			require.Contains(t, spec.Maps, common.MapRecords, "%s writes to the one ring buffer", o)
			for name, m := range spec.Maps {
				s := shared.Maps[name]
				if s == nil || strings.HasPrefix(name, ".") {
					continue
				}
				for _, m := range []*ebpf.MapSpec{m, s} {
					m.Key, m.Value, m.Tags = nil, nil, nil
				}
				assert.Equal(t, s, m, "%s of %s, %s", name, o, architecture)
			}
		}
	}
}

// What is compiled for both architectures differs in nothing that Go sees.
func TestGeneratedGoIsTheSame(t *testing.T) {
	for _, o := range objects(t) {
		var text []string
		for _, architecture := range architectures {
			source, err := os.ReadFile(o.goFile(architecture))
			require.NoError(t, err)
			_, declarations, ok := strings.Cut(string(source), "\npackage ")
			require.True(t, ok)
			text = append(text, strings.ReplaceAll(declarations, "_"+architecture+"_bpfel", ""))
		}
		assert.Equal(t, text[0], text[1], o)
	}
}

// In `bpftool prog` the name of each function says whose it is. The loader does the same for maps.
func TestFunctionsBeginWithTheirProgram(t *testing.T) {
	for _, o := range objects(t) {
		sources, err := filepath.Glob(filepath.Dir(string(o)) + "/*.bpf.c")
		require.NoError(t, err)
		require.Len(t, sources, 1)
		program := strings.TrimSuffix(filepath.Base(sources[0]), ".bpf.c")
		if program == "common" {
			program = "ebpf"
		}
		functions := o.spec(t, architectures[0]).Programs
		require.NotEmpty(t, functions)
		for name := range functions {
			assert.True(t, name == program || strings.HasPrefix(name, program+"_"), "%s of %s", name, o)
		}
	}
}
