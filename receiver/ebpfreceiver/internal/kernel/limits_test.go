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

// inVersion1 makes cgroups in a hierarchy of version 1.
func inVersion1(t *testing.T, h *Host, paths ...string) {
	t.Helper()
	mountinfo, err := os.OpenFile(h.path("/proc/self/mountinfo"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = mountinfo.WriteString("99 20 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
	require.NoError(t, err)
	require.NoError(t, mountinfo.Close())
	for _, path := range paths {
		require.NoError(t, os.MkdirAll(h.path("/sys/fs/cgroup/memory"+path), 0o755))
	}
}

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
		"container of version 1 alone": {
			func(t *testing.T, h *Host) {
				pidNamespace(t, h, initialPIDNS)
				inVersion1(t, h, "/docker/"+id, "/docker/"+otherID)
				require.NoError(t, os.MkdirAll(h.path("/sys/fs/cgroup/unified/docker/"+otherID), 0o755))
			},
			[]string{"container " + id + " is in cgroups of version 1 only", "systemd.unified_cgroup_hierarchy=1"},
		},
		"containers of both versions": {
			func(t *testing.T, h *Host) {
				pidNamespace(t, h, initialPIDNS)
				inVersion1(t, h, "/docker/"+id+"/init.scope", "/system.slice/sshd.service")
				require.NoError(t, os.MkdirAll(h.path("/sys/fs/cgroup/unified/docker/"+id), 0o755))
			}, nil,
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
