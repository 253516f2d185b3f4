// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"maps"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// fork returns shared maps that know nothing of sockets yet, for a program that comes back: it begins as at the start, while others
// go on with what they know. All other maps are those of the original.
func (s *shared) fork(types *kernel.BTF, listeners bool) (_ *shared, err error) {
	spec, err := common.LoadCommon()
	if err != nil {
		return nil, fmt.Errorf("read the embedded object: %w", err)
	}
	f := &shared{maps: maps.Clone(s.maps), variables: maps.Clone(s.variables), borrowed: map[string]bool{}}
	for name := range f.maps {
		f.borrowed[name] = true
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	f.makeRoom(spec)
	for _, name := range common.SocketMaps {
		own, err := ebpf.NewMap(spec.Maps[name])
		if err != nil {
			return nil, fmt.Errorf("create map %s: %w", name, err)
		}
		f.maps[name], f.borrowed[name] = own, false
	}
	if listeners {
		err = f.watchListeners(types)
	}
	return f, err
}
