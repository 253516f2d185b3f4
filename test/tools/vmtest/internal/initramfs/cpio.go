// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package initramfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// File types in a mode, as in a struct stat.
const (
	typeFile      = 0o100000
	typeDirectory = 0o040000
	typeCharacter = 0o020000
	typeLink      = 0o120000
)

// Writer writes a cpio archive in the kernel's format, newc. Errors are kept and returned by Close.
type Writer struct {
	w     io.Writer
	inode int
	made  map[string]bool
	err   error
}

// NewWriter returns a writer of an empty archive.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, made: map[string]bool{}} }

// Create writes the file of an archive with the devices that every machine needs, and what add adds.
func Create(file string, add func(*Writer) error) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewWriterSize(f, 1<<20)
	w := NewWriter(buffered)
	// Go programs need /dev/null to start, and the kernel needs /dev/console.
	w.Device("/dev/null", 0o666, 1, 3)
	w.Device("/dev/console", 0o600, 5, 1)
	if err := add(w); err != nil {
		return err
	}
	return errors.Join(w.Close(), buffered.Flush())
}

// Directory adds a directory and its missing parents.
func (w *Writer) Directory(name string) {
	name = strings.Trim(path.Clean(name), "/")
	if name == "." || name == "" || w.made[name] {
		return
	}
	w.Directory(path.Dir(name))
	w.made[name] = true
	w.entry(name, typeDirectory|0o755, nil, 0, 0)
}

// File adds a file and its missing parent directories.
func (w *Writer) File(name string, permissions int, content []byte) {
	w.Directory(path.Dir(name))
	w.entry(strings.Trim(path.Clean(name), "/"), typeFile|permissions, content, 0, 0)
}

// Link adds a symbolic link and its missing parent directories.
func (w *Writer) Link(name, target string) {
	w.Directory(path.Dir(name))
	w.entry(strings.Trim(path.Clean(name), "/"), typeLink|0o777, []byte(target), 0, 0)
}

// Device adds a character device and its missing parent directories.
func (w *Writer) Device(name string, permissions, major, minor int) {
	w.Directory(path.Dir(name))
	w.entry(strings.Trim(path.Clean(name), "/"), typeCharacter|permissions, nil, major, minor)
}

// Close ends the archive.
func (w *Writer) Close() error {
	w.inode = -1 // the trailer has inode 0
	w.entry("TRAILER!!!", 0, nil, 0, 0)
	if w.err != nil {
		return fmt.Errorf("write the initramfs: %w", w.err)
	}
	return nil
}

func (w *Writer) entry(name string, mode int, content []byte, major, minor int) {
	w.inode++
	links := 1
	if mode&typeDirectory != 0 {
		links = 2
	}
	// inode, mode, uid, gid, links, mtime, size, device (2), rdev (2), name size with its zero byte, checksum
	header := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		w.inode, mode, 0, 0, links, 0, len(content), 0, 0, major, minor, len(name)+1, 0)
	w.write(padded([]byte(header + name + "\x00")))
	w.write(padded(content))
}

// padded pads to a multiple of four bytes.
func padded(b []byte) []byte { return append(slices.Clip(b), make([]byte, -len(b)&3)...) }

func (w *Writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}
