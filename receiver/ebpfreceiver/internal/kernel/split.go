// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
)

// Split returns the functions that the compiler has split or copied. If a symbol such as vfs_rmdir.part.0 exists beside
// vfs_rmdir, some calls bypass vfs_rmdir, and a hook there misses them. The rarely used part of a function
// (vfs_rmdir.cold) does not count. It reads all symbols, but needs no addresses.
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
		symbol = symbol[bytes.LastIndexByte(symbol, ' ')+1:] // a tab separates the name of a module
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
