// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// One set of maps serves all objects, so each must declare those that it shares in the same way.
func TestSharedMapsAreDeclaredAlike(t *testing.T) {
	for _, arch := range []string{"x86", "arm64"} {
		shared, err := ebpf.LoadCollectionSpec("socket_" + arch + "_bpfel.o")
		require.NoError(t, err)
		for _, o := range objects {
			spec, err := ebpf.LoadCollectionSpec(o.file + "_" + arch + "_bpfel.o")
			require.NoError(t, err)
			require.Contains(t, spec.Maps, SocketMapRecords, "%s writes to the one ring buffer", o.file)
			for name, m := range spec.Maps {
				s := shared.Maps[name]
				if s == nil || strings.HasPrefix(name, ".") {
					continue
				}
				for _, m := range []*ebpf.MapSpec{m, s} {
					m.Key, m.Value, m.Tags = nil, nil, nil
				}
				assert.Equal(t, s, m, "%s of %s, %s", name, o.file, arch)
			}
		}
	}
}

// What is compiled for both architectures differs in nothing that Go sees.
func TestGeneratedGoIsTheSame(t *testing.T) {
	for _, o := range objects {
		var text []string
		for _, arch := range []string{"x86", "arm64"} {
			source, err := os.ReadFile(o.file + "_" + arch + "_bpfel.go")
			require.NoError(t, err)
			_, declarations, ok := strings.Cut(string(source), "package bpf")
			require.True(t, ok)
			text = append(text, strings.ReplaceAll(declarations, o.file+"_"+arch, o.file))
		}
		assert.Equal(t, text[0], text[1], o.file)
	}
}
