// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package initramfs

import (
	"bytes"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entry is what the kernel reads from an archive.
type entry struct {
	name                string
	mode, links         int
	major, minor, inode int
	content             string
}

// unpack reads an archive as init/initramfs.c does.
func unpack(t *testing.T, archive []byte) (entries []entry) {
	t.Helper()
	at := 0
	take := func(n int) []byte {
		require.LessOrEqual(t, at+n, len(archive), "the archive ends early")
		at += n
		return archive[at-n : at]
	}
	align := func() { at = (at + 3) &^ 3 }
	for {
		require.Equal(t, "070701", string(take(6)))
		var fields [13]int
		for i := range fields {
			n, err := strconv.ParseUint(string(take(8)), 16, 32)
			require.NoError(t, err)
			fields[i] = int(n)
		}
		name := take(fields[11])
		align()
		require.Zero(t, name[len(name)-1])
		e := entry{
			inode: fields[0], mode: fields[1], links: fields[4], major: fields[9], minor: fields[10],
			name: string(name[:len(name)-1]), content: string(take(fields[6])),
		}
		align()
		if e.name == "TRAILER!!!" {
			require.Len(t, archive, at)
			return entries
		}
		entries = append(entries, e)
	}
}

func TestArchive(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Device("/dev/null", 0o666, 1, 3)
	w.File("/init", 0o755, []byte("12345"))
	w.File("a/b/c", 0o644, nil)
	w.Directory("/a/b/")
	w.Directory("/a/d")
	w.Link("/a/e", "../init")
	require.NoError(t, w.Close())
	assert.Equal(t, []entry{
		{inode: 1, name: "dev", mode: 0o40755, links: 2},
		{inode: 2, name: "dev/null", mode: 0o20666, links: 1, major: 1, minor: 3},
		{inode: 3, name: "init", mode: 0o100755, links: 1, content: "12345"},
		{inode: 4, name: "a", mode: 0o40755, links: 2},
		{inode: 5, name: "a/b", mode: 0o40755, links: 2},
		{inode: 6, name: "a/b/c", mode: 0o100644, links: 1},
		{inode: 7, name: "a/d", mode: 0o40755, links: 2},
		{inode: 8, name: "a/e", mode: 0o120777, links: 1, content: "../init"},
	}, unpack(t, b.Bytes()))
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestArchiveThatCannotBeWritten(t *testing.T) {
	w := NewWriter(broken{})
	w.File("init", 0o755, []byte("12345"))
	assert.ErrorContains(t, w.Close(), "disk full")
}
