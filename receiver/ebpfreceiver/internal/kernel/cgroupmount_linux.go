// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

// Mount returns where the cgroup2 hierarchy is mounted, "" if these containers were not opened from one.
func (c *Containers) Mount() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if tree, ok := c.tree.(*mountedTree); ok {
		return tree.point
	}
	return ""
}
