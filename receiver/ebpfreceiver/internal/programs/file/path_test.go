// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAppendPath(t *testing.T) {
	for _, tt := range []struct {
		directory, name string
		root            int
		want            string
	}{
		{"/tmp/x", "", 0, "/tmp/x"},
		{"/", "", 0, "/"},
		{"", "/tmp/x", 0, "/tmp/x"},
		{"", "/", 0, "/"},
		{"", "//tmp/./x/", 0, "/tmp/x"},
		{"/home/me", "/x", 0, "/home/me/x"},
		{"/home/me", "/./a//b", 0, "/home/me/a/b"},
		{"/home/me", "/../x", 0, "/home/x"},
		{"/home/me", "/../../x", 0, "/x"},
		{"/home/me", "/../../../../x", 0, "/x"},
		{"/home/me", "/./.././x", 0, "/home/x"},
		{"/home/me", "/..", 0, "/home"},
		{"", "/../x", 0, "/x"},
		// A name may be a symbolic link, so the parent of what it names is unknown.
		{"/home/me", "/link/../x", 0, "/home/me/link/../x"},
		{"/home/me", "/../link/../../x", 0, "/home/link/../../x"},
		{"/home/me", "/.../x", 0, "/home/me/.../x"},
		// ".." does not lead above the root of the process.
		{"/jail/home", "/../../x", len("/jail"), "/jail/x"},
		{"/jail", "/../x", len("/jail"), "/jail/x"},
		{"/jail", "/etc/x", len("/jail"), "/jail/etc/x"},
	} {
		assert.Equal(t, tt.want, string(appendPath(nil, []byte(tt.directory), []byte(tt.name), tt.root)), "%s and %s", tt.directory, tt.name)
	}
}

func TestNameOf(t *testing.T) {
	for path, want := range map[string]string{"/": "", "/x": "x", "/a/b": "b", "/a/..": "", "/a/...": "...", "/a/.b": ".b"} {
		assert.Equal(t, want, nameOf(path), path)
	}
}
