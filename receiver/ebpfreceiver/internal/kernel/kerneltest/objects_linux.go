// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kerneltest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Object is a BPF object of the kernel.
type Object struct {
	kind string // prog_id, map_id or link_id, as in /proc/self/fdinfo
	id   uint32
}

// exists reports whether the kernel still has the object.
func (o Object) exists(t testing.TB) bool {
	t.Helper()
	var (
		found interface{ Close() error }
		err   error
	)
	switch o.kind {
	case "prog_id":
		found, err = ebpf.NewProgramFromID(ebpf.ProgramID(o.id))
	case "map_id":
		found, err = ebpf.NewMapFromID(ebpf.MapID(o.id))
	default:
		found, err = link.NewFromID(link.ID(o.id))
	}
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	require.NoError(t, err)
	require.NoError(t, found.Close())
	return true
}

// Objects returns the BPF objects that this process has descriptors of.
func Objects(t testing.TB) (objects []Object) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	require.NoError(t, err)
	for _, file := range files {
		info, err := os.ReadFile(file)
		if err != nil {
			continue // the descriptor of the listing itself
		}
		found := Object{}
		for line := range strings.Lines(string(info)) {
			key, value, _ := strings.Cut(line, ":")
			switch key {
			case "link_id": // fdinfo of a link also has a prog_id
				found.kind = key
			case "prog_id", "map_id":
				if found.kind != "" {
					continue
				}
				found.kind = key
			default:
				continue
			}
			_, err := fmt.Sscan(value, &found.id)
			require.NoError(t, err)
		}
		if found.kind != "" {
			objects = append(objects, found)
		}
	}
	return objects
}

// Kinds counts objects by kind.
func Kinds(objects []Object) map[string]int {
	counts := map[string]int{}
	for _, o := range objects {
		counts[o.kind]++
	}
	return counts
}

// LeavesNothing checks at the end of the test that this process has no BPF object open or mapped.
func LeavesNothing(t testing.TB) {
	t.Helper()
	require.Empty(t, Objects(t), "objects left by another test")
	t.Cleanup(func() {
		assert.Empty(t, Objects(t), "held still")
		maps, err := os.ReadFile("/proc/self/maps")
		require.NoError(t, err)
		assert.NotContains(t, string(maps), "bpf", "mapped still")
	})
}

// RequireGone waits until the kernel has freed the objects. It frees them after their last user.
func RequireGone(t testing.TB, objects []Object) {
	t.Helper()
	for _, o := range objects {
		require.Eventually(t, func() bool { return !o.exists(t) }, 5*time.Second, time.Millisecond, "%v", o)
	}
}
