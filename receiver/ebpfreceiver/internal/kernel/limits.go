// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// initialPIDNS is the target of the link /proc/self/ns/pid in the host's pid namespace (PROC_PID_INIT_INO).
	initialPIDNS = "pid:[4026531836]"
	// rootInode is the inode number of the root of the cgroup2 hierarchy.
	rootInode = 1
)

// Limits returns which parts of the host this process cannot see because of its namespaces, each with the remedy. The
// programs run all the same, and cannot notice what they miss.
func (h *Host) Limits() (limits []string) {
	if ns, err := os.Readlink(h.path("/proc/self/ns/pid")); err == nil && ns != initialPIDNS {
		limits = append(limits, "this process is in a pid namespace of its own, so of the sockets that are older than it, it finds only those of that namespace's processes, and it counts the open descriptors of no others: run it in the host's (hostPID: true in Kubernetes, --pid=host in Docker)")
	}
	if point := h.partOfCgroups(); point != "" {
		limits = append(limits, fmt.Sprintf("the cgroup2 hierarchy at %s is a part of the host's, so the owners of UDP and raw sockets, and UDP's connections, are seen in that part alone, and containers outside of it have no names if they are older than this process: give the container the host's (a hostPath volume of /sys/fs/cgroup in Kubernetes, --cgroupns=host in Docker)", point))
	}
	if id := h.onlyInVersion1(); id != "" {
		limits = append(limits, fmt.Sprintf("container %s is in cgroups of version 1 only, and the kernel's programs see those of version 2, so what happens in such containers is reported as the host's, without container.id: use runc 1.0 or newer, which puts containers into both, or boot with systemd.unified_cgroup_hierarchy=1", id))
	}
	return limits
}

// partOfCgroups returns the mount point of the cgroup2 hierarchy if only a part of it is mounted, or "".
func (h *Host) partOfCgroups() (point string) {
	text, err := os.ReadFile(h.path("/proc/self/mountinfo"))
	if err != nil {
		return ""
	}
	for _, m := range mountsOf(parseMountinfo(string(text)), "cgroup2") {
		inode, err := h.Inode(h.path(m.point))
		if err == nil && inode == rootInode {
			return ""
		}
		if err == nil && point == "" {
			point = m.point
		}
	}
	return point
}

// maxVersion1 bounds the number of cgroups of version 1 that are looked at.
const maxVersion1 = 4096

// onlyInVersion1 returns the id of a container that has a cgroup in a hierarchy of version 1, and none in that of version 2; ""
// if there is none. Where only version 1 is mounted, the lack of version 2 is told elsewhere.
func (h *Host) onlyInVersion1() (id string) {
	text, err := os.ReadFile(h.path("/proc/self/mountinfo"))
	if err != nil {
		return ""
	}
	mounts := parseMountinfo(string(text))
	both := mountsOf(mounts, "cgroup2")
	if len(both) == 0 {
		return ""
	}
	left := maxVersion1
	for _, m := range mountsOf(mounts, "cgroup") {
		root := h.path(m.point)
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil //nolint:nilerr // it is gone, or not for this process to see
			}
			if left--; left < 0 || id != "" {
				return fs.SkipAll
			}
			below := strings.TrimPrefix(path, root)
			container, ok := parseContainer(below)
			if !ok || "0::"+below != container.CgroupPath {
				return nil
			}
			for _, v2 := range both {
				if _, err := os.Lstat(h.path(v2.point) + below); err == nil {
					return fs.SkipDir
				}
			}
			id = container.ID
			return fs.SkipAll
		})
	}
	return id
}
