// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	pidNamespace := func(t *testing.T, h *Host, link string) {
		require.NoError(t, os.Symlink(link, h.path("/proc/self/ns/pid")))
	}
	inodes := func(numbers map[string]uint64) func(*testing.T, *Host) {
		return func(t *testing.T, h *Host) {
			pidNamespace(t, h, initialPIDNS)
			h.Inode = func(path string) (uint64, error) {
				relative, err := filepath.Rel(h.Root, path)
				require.NoError(t, err)
				if number, ok := numbers["/"+relative]; ok {
					return number, nil
				}
				return 0, os.ErrNotExist
			}
		}
	}
	for name, tc := range map[string]struct {
		change func(*testing.T, *Host)
		// want is part of the only limit. If it is empty, there is no limit.
		want []string
	}{
		"the host's": {func(t *testing.T, h *Host) { pidNamespace(t, h, initialPIDNS) }, nil},
		"pid namespace": {
			func(t *testing.T, h *Host) { pidNamespace(t, h, "pid:[4026532178]") },
			[]string{"pid namespace", "hostPID: true", "--pid=host"},
		},
		"the whole hierarchy is mounted, too": {inodes(map[string]uint64{"/sys/fs/cgroup/unified": 77, "/mnt/part": 1}), nil},
		"part of the hierarchy": {
			inodes(map[string]uint64{"/sys/fs/cgroup/unified": 77, "/mnt/part": 78}),
			[]string{"cgroup2 hierarchy at /sys/fs/cgroup/unified is a part", "/sys/fs/cgroup in Kubernetes", "--cgroupns=host"},
		},
		"no hierarchy": {inodes(nil), nil},
		"no /proc": {func(_ *testing.T, h *Host) {
			h.Root = "/nowhere"
			h.Inode = func(string) (uint64, error) { return 0, errors.New("no file") }
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := fakeHost(t)
			tc.change(t, h)
			limits := h.Limits()
			if tc.want == nil {
				assert.Empty(t, limits)
				return
			}
			require.Len(t, limits, 1)
			for _, want := range tc.want {
				assert.Contains(t, limits[0], want)
			}
		})
	}
}
