// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"strings"
)

// appendPath appends the path of a name in a directory, as a process gave it. The first root bytes of the directory are
// the process's root, above which ".." does not lead. The directory has no symbolic links, so ".." before all names means
// its parent. A name may be a symbolic link, so ".." after a name stays in the path.
func appendPath(path, directory, name []byte, root int) []byte {
	path = append(path[:0], directory...)
	named := false
	for part := range bytes.SplitSeq(name, []byte{'/'}) {
		switch string(part) {
		case "", ".":
		case "..":
			if !named {
				if i := bytes.LastIndexByte(path, '/'); i >= root {
					path = path[:i]
				}
				continue
			}
			fallthrough
		default:
			named = true
			path = append(append(path, '/'), part...)
		}
	}
	if len(path) == 0 {
		path = append(path, '/')
	}
	return path
}

// nameOf returns the last name of a path, "" if that does not name a file.
func nameOf(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if name == ".." {
		return ""
	}
	return name
}
