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
// programs run nevertheless, and cannot detect what they miss.
func (h *Host) Limits() (limits []string) {
	if ns, err := os.Readlink(h.path("/proc/self/ns/pid")); err == nil && ns != initialPIDNS {
		limits = append(limits, "this process is in a pid namespace of its own, which hides the other processes of the host: their sockets that are older than this process have no owner, and their open descriptors are not counted; run it in the host's (hostPID: true in Kubernetes, --pid=host in Docker)")
	}
	if point := h.partOfCgroups(); point != "" {
		limits = append(limits, fmt.Sprintf("the cgroup2 hierarchy at %s is a part of the host's. Outside of it, UDP and raw sockets have no owners, UDP connections are not seen, and containers that are older than this process have no names: give the container the host's (a hostPath volume of /sys/fs/cgroup in Kubernetes, --cgroupns=host in Docker)", point))
	}
	if id := h.onlyInVersion1(); id != "" {
		limits = append(limits, fmt.Sprintf("container %s is in cgroups of version 1 only, but eBPF programs see only version 2. Events and metrics of such containers are the host's, without container.id: use runc 1.0 or newer, which puts containers into both, or boot with systemd.unified_cgroup_hierarchy=1", id))
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
// if there is none. Check reports a missing version 2.
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
