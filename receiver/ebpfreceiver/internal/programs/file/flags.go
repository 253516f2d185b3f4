// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import "runtime"

// kinds are the values of ebpf.file.deletion.kind.
var kinds = [...]string{unlinked: "unlink", removed: "rmdir", renamed: "rename"}

// The access mode is a number of two bits, not two flags.
const accessMode = 3

var accessModes = [...]string{"O_RDONLY", "O_WRONLY", "O_RDWR", ""}

// flag is a flag of open(2), or several flags with one name.
type flag struct {
	bits uint32
	name string
}

// O_PATH opens a file neither for reading nor for writing.
const onlyPath = 0o10000000

// openFlags are the flags that concern the file. O_NONBLOCK is left out, because io_uring sets it by itself. A flag whose
// bits are part of another flag comes after that one.
var openFlags = func() []flag {
	var direct, directory, noFollow uint32 = 0o40000, 0o200000, 0o400000
	if runtime.GOARCH == "arm64" {
		direct, directory, noFollow = 0o200000, 0o40000, 0o100000
	}
	return []flag{
		{0o100, "O_CREAT"},
		{0o200, "O_EXCL"},
		{0o400, "O_NOCTTY"},
		{0o1000, "O_TRUNC"},
		{0o2000, "O_APPEND"},
		{0o4010000, "O_SYNC"},
		{0o10000, "O_DSYNC"},
		{direct, "O_DIRECT"},
		{0o20000000 | directory, "O_TMPFILE"},
		{directory, "O_DIRECTORY"},
		{noFollow, "O_NOFOLLOW"},
		{0o1000000, "O_NOATIME"},
		{onlyPath, "O_PATH"},
	}
}()

// appendFlags appends the names of an open's flags, the access mode first.
func appendFlags(names []string, bits uint32) []string {
	if mode := accessModes[bits&accessMode]; mode != "" && bits&onlyPath == 0 {
		names = append(names, mode)
	}
	for _, f := range openFlags {
		if bits&f.bits == f.bits {
			names = append(names, f.name)
			bits &^= f.bits
		}
	}
	return names
}
