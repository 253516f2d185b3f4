// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"os"
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
