// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"slices"
	"strconv"
	"strings"
)

// mount is a mounted file system.
type mount struct {
	// root is the path within the file system that is visible at point.
	root, point, fsType string
}

// parseMountinfo reads the format of /proc/self/mountinfo, and skips malformed lines.
func parseMountinfo(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		// "id parent device root point options [optional fields…] - type source options"
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 6 || len(rest) == 0 {
			continue
		}
		mounts = append(mounts, mount{root: unescape(fields[3]), point: unescape(fields[4]), fsType: rest[0]})
	}
	return mounts
}

// mountsOf returns the mounts of a type of file system. Mounts of the whole file system come first.
func mountsOf(mounts []mount, fsType string) []mount {
	found := slices.DeleteFunc(slices.Clone(mounts), func(m mount) bool { return m.fsType != fsType })
	slices.SortStableFunc(found, func(a, b mount) int {
		return boolRank(a.root != "/") - boolRank(b.root != "/")
	})
	return found
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unescape replaces the octal escapes of white space in a path of mountinfo.
func unescape(path string) string {
	if !strings.Contains(path, `\`) {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+4 <= len(path) {
			if c, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}
