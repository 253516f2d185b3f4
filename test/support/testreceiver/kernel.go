// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testreceiver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Objects are the kernel's BPF objects by id.
type Objects struct {
	Programs map[ebpf.ProgramID]string // with their names
	Maps     map[ebpf.MapID]string
	Links    map[link.ID]bool
}

// Empty reports whether there is no object.
func (o Objects) Empty() bool { return len(o.Programs)+len(o.Maps)+len(o.Links) == 0 }

// String lists the objects.
func (o Objects) String() string {
	return fmt.Sprintf("programs %v, maps %v, links %v", o.Programs, o.Maps, o.Links)
}

// Owned returns the BPF objects that this process has descriptors of, and the maps that its programs use.
func Owned(t testing.TB) Objects {
	t.Helper()
	o := Objects{Programs: map[ebpf.ProgramID]string{}, Maps: map[ebpf.MapID]string{}, Links: map[link.ID]bool{}}
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	require.NoError(t, err)
	for _, file := range files {
		info, err := os.ReadFile(file)
		if err != nil {
			continue // the descriptor of the listing itself
		}
		for line := range strings.Lines(string(info)) {
			key, value, _ := strings.Cut(line, ":")
			var id uint32
			if _, err := fmt.Sscan(value, &id); err != nil {
				continue
			}
			switch key {
			case "prog_id":
				o.addProgram(t, ebpf.ProgramID(id))
			case "map_id":
				o.addMap(t, ebpf.MapID(id))
			case "link_id":
				o.Links[link.ID(id)] = true
			}
		}
	}
	return o
}

func (o Objects) addProgram(t testing.TB, id ebpf.ProgramID) {
	t.Helper()
	p, err := ebpf.NewProgramFromID(id)
	if errors.Is(err, os.ErrNotExist) {
		return // being freed
	}
	require.NoError(t, err)
	defer func() { _ = p.Close() }()
	info, err := p.Info()
	require.NoError(t, err)
	o.Programs[id] = info.Name
	maps, _ := info.MapIDs()
	for _, id := range maps {
		o.addMap(t, id)
	}
}

func (o Objects) addMap(t testing.TB, id ebpf.MapID) {
	t.Helper()
	m, err := ebpf.NewMapFromID(id)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	require.NoError(t, err)
	defer func() { _ = m.Close() }()
	info, err := m.Info()
	require.NoError(t, err)
	o.Maps[id] = info.Name
}

// All returns all BPF objects of the kernel.
func All(t testing.TB) Objects {
	t.Helper()
	o := Objects{Programs: map[ebpf.ProgramID]string{}, Maps: map[ebpf.MapID]string{}, Links: map[link.ID]bool{}}
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		require.NoError(t, err)
		o.addProgram(t, next)
		id = next
	}
	for id := ebpf.MapID(0); ; {
		next, err := ebpf.MapGetNextID(id)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		require.NoError(t, err)
		o.addMap(t, next)
		id = next
	}
	for !o.addLinks(t) {
	}
	return o
}

// addLinks adds all links of the kernel. It returns false if somebody is just creating a link: that link cannot be opened
// yet, and ends the listing.
func (o Objects) addLinks(t testing.TB) bool {
	t.Helper()
	links := &link.Iterator{}
	defer links.Close()
	for links.Next() {
		o.Links[links.ID] = true
	}
	if errors.Is(links.Err(), unix.EAGAIN) {
		return false
	}
	require.NoError(t, links.Err())
	return true
}

// Minus returns the objects that the other set does not have.
func (o Objects) Minus(others Objects) Objects {
	left := Objects{Programs: map[ebpf.ProgramID]string{}, Maps: map[ebpf.MapID]string{}, Links: map[link.ID]bool{}}
	for id, name := range o.Programs {
		if _, ok := others.Programs[id]; !ok {
			left.Programs[id] = name
		}
	}
	for id, name := range o.Maps {
		if _, ok := others.Maps[id]; !ok {
			left.Maps[id] = name
		}
	}
	for id := range o.Links {
		if !others.Links[id] {
			left.Links[id] = true
		}
	}
	return left
}

// Both returns the objects that are in both sets.
func (o Objects) Both(others Objects) Objects { return o.Minus(o.Minus(others)) }
