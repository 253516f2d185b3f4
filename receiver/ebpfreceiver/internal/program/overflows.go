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

// runOnCPU is BPF_F_TEST_RUN_ON_CPU.
const runOnCPU = 1

// watchListeners lets the BPF side read the overflows of accept queues, and loads the function that updates a listener.
func (s *shared) watchListeners(types *kernel.BTF) error {
	// The index of the counter in a network namespace. If BTF does not have it, overflows are not counted.
	if counter, ok := types.AnonymousEnumValue("LINUX_MIB_LISTENOVERFLOWS"); ok {
		s.variables[common.VarOverflowCounter] = uint32(counter)
	}
	find, err := s.loadOwn(common.ProgFindOffset, types)
	if err != nil {
		return err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return errors.Join(fmt.Errorf("count the CPUs: %w", err), find.Close())
	}
	for cpu := range cpus {
		// A CPU that is offline counts nothing.
		_, _ = find.Run(&ebpf.RunOptions{CPU: uint32(cpu), Flags: runOnCPU})
	}
	if err := find.Close(); err != nil {
		return err
	}
	s.listener, err = s.loadOwn(common.ProgUpdateListener, types)
	return err
}

// loadOwn loads a function of the shared object.
func (s *shared) loadOwn(function string, types *kernel.BTF) (*ebpf.Program, error) {
	spec, err := common.LoadCommon()
	if err != nil {
		return nil, fmt.Errorf("read the embedded object: %w", err)
	}
	for name, value := range s.variables {
		if v := spec.Variables[name]; v != nil {
			if err := v.Set(value); err != nil {
				return nil, fmt.Errorf("set %s: %w", name, err)
			}
		}
	}
	opts := ebpf.CollectionOptions{MapReplacements: s.replacements(spec)}
	types.Apply(&opts)
	own, err := createMaps("ebpf", spec, opts)
	if err != nil {
		return nil, err
	}
	// The function keeps the maps that it uses.
	defer func() {
		for _, m := range own {
			_ = m.Close()
		}
	}()
	maps.Copy(opts.MapReplacements, own)
	return (&object{spec: spec, opts: opts}).load(function)
}

func (s *shared) updateListener() func(uint64) (common.ListeningFate, error) {
	if s.listener == nil {
		return nil
	}
	return func(socket uint64) (common.ListeningFate, error) {
		fate, err := s.listener.Run(&ebpf.RunOptions{Context: socket})
		if err != nil {
			return 0, fmt.Errorf("look at a listener: %w", err)
		}
		return common.ListeningFate(fate), nil
	}
}
