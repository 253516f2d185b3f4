// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// mountinfo is from a host with both cgroup versions, and from a container that sees a part of version 2.
const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
24 27 0:6 / /dev rw,relatime shared:2 master:1 - devtmpfs devtmpfs rw,size=12334556k
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
42 31 0:38 /../../user.slice /mnt/part rw,relatime - cgroup2 cgroup2 rw
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
43 31 0:38 / /mnt/with\040space\134 rw,relatime - cgroup2 none rw
44 23 0:12 / /sys/kernel/tracing rw,relatime - tracefs tracefs rw
not a line of it
45 23 0:12 / /short
46 - cgroup2
`

func TestMountsOf(t *testing.T) {
	mounts := parseMountinfo(mountinfo)
	assert.Len(t, mounts, 8)
	assert.Equal(t, []mount{
		{"/", "/sys/fs/cgroup/unified", "cgroup2"},
		{"/", `/mnt/with space\`, "cgroup2"},
		{"/../../user.slice", "/mnt/part", "cgroup2"},
	}, mountsOf(mounts, "cgroup2"), "mounts of the whole hierarchy come first")
	assert.Equal(t, []mount{{"/", "/sys/kernel/tracing", "tracefs"}}, mountsOf(mounts, "tracefs"))
	assert.Empty(t, mountsOf(mounts, "bpf"))
	assert.Empty(t, parseMountinfo(""))
}

func TestUnescape(t *testing.T) {
	for path, want := range map[string]string{
		"/plain":         "/plain",
		`/a\040b\011c`:   "/a b\tc",
		`/back\134slash`: `/back\slash`,
		`/end\04`:        `/end\04`,
		`/odd\999`:       `/odd\999`,
		`\040`:           " ",
	} {
		assert.Equal(t, want, unescape(path))
	}
}
