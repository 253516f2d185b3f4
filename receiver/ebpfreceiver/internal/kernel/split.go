// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
)

// Split returns those of some functions that the compiler has split or copied: where a symbol as vfs_rmdir.part.0 is beside
// vfs_rmdir, not every call comes through the latter, and a hook there misses some. What is only seldom run, and lies
// elsewhere for that (vfs_rmdir.cold), is no such part. It reads all symbols, of which it needs no addresses.
func (s *Symbols) Split(functions ...string) ([]string, error) {
	file, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("names of the kernel's functions: %w", err)
	}
	defer file.Close()
	var split []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// As in "ffffffffab0d5950 t vfs_rmdir.part.0".
		symbol := lines.Bytes()
		symbol = symbol[bytes.LastIndexByte(symbol, ' ')+1:] // a tab is before the name of a module
		name, part, found := bytes.Cut(symbol, []byte{'.'})
		if !found || bytes.HasPrefix(part, []byte("cold")) {
			continue
		}
		if slices.Contains(functions, string(name)) && !slices.Contains(split, string(name)) {
			split = append(split, string(name))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("names of the kernel's functions: %w", err)
	}
	return split, nil
}
