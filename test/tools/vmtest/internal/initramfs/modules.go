// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package initramfs

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is an uncompressed kernel module.
type Module struct {
	Name    string
	Content []byte
}

// Modules are the modules of a kernel, by name with underscores.
type Modules struct {
	files map[string]string
	read  func(file string) ([]byte, error)
	needs func(content []byte) ([]string, error)
}

// FindModules looks for the modules below a directory, such as an unpacked package.
func FindModules(dir string) (*Modules, error) {
	m := &Modules{files: map[string]string{}, read: readModule, needs: dependencies}
	return m, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if name, _, found := strings.Cut(filepath.Base(path), ".ko"); found && err == nil && d.Type().IsRegular() {
			m.files[normal(name)] = path
		}
		return err
	})
}

// normal normalises a module's name: modprobe treats dashes and underscores alike.
func normal(name string) string { return strings.ReplaceAll(name, "-", "_") }

// Load returns the wanted modules that this kernel has, each after its dependencies.
func (m *Modules) Load(wanted []string) (order []Module, err error) {
	seen := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		name = normal(name)
		file, found := m.files[name]
		if !found || seen[name] { // not found: built into the kernel
			return nil
		}
		seen[name] = true
		content, err := m.read(file)
		if err != nil {
			return fmt.Errorf("read module %s: %w", file, err)
		}
		needs, err := m.needs(content)
		if err != nil {
			return fmt.Errorf("read what module %s depends on: %w", file, err)
		}
		for _, need := range needs {
			if err := add(need); err != nil {
				return err
			}
		}
		order = append(order, Module{Name: name, Content: content})
		return nil
	}
	for _, name := range wanted {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func readModule(file string) ([]byte, error) {
	switch filepath.Ext(file) {
	case ".xz":
		return exec.Command("xz", "-dc", file).Output()
	case ".zst":
		return exec.Command("zstd", "-dcq", file).Output()
	case ".gz":
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		r, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	return os.ReadFile(file)
}

// dependencies reads the dependencies from the .modinfo section, as depmod does, because Debian's packages have no
// modules.dep.
func dependencies(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, errors.New("it has no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	return parseModinfo(info), nil
}

func parseModinfo(info []byte) (names []string) {
	for field := range strings.SplitSeq(string(info), "\x00") {
		if list, found := strings.CutPrefix(field, "depends="); found && list != "" {
			names = append(names, strings.Split(list, ",")...)
		}
	}
	return names
}
