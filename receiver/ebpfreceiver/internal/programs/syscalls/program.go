// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"go.uber.org/zap"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	// sinceTaskStorage is a function of Linux 5.13, which also allowed task storage in tracing programs.
	sinceTaskStorage = "for_each_map_elem"
	// threadsByAddress is how many threads are tracked where the kernel has no task storage for tracing programs.
	threadsByAddress = 32768
)

// calls is the program in a running receiver.
type calls struct {
	config *Config
	host   *program.Host
	counts metrics.Series[bpf.SyscallSeries, series, bpf.SyscallCounts]
}

var _ program.Program = (*calls)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	return &calls{config: cfg.(*Config), host: host}
}

// Spec implements program.Program.
func (c *calls) Spec() (*ebpf.CollectionSpec, error) {
	spec, err := bpf.LoadSyscall()
	if err != nil {
		return nil, err
	}
	spec.Maps[bpf.SyscallMapSyscallExecutables].MaxEntries = uint32(max(1, len(c.config.Executables)))
	spec.Maps[bpf.SyscallMapSelectedContainers].MaxEntries = uint32(max(1, len(c.config.Containers)))
	if !c.hasTaskStorage() {
		// This kernel has no map of that type, and the functions that use it are left out.
		threads := spec.Maps[bpf.SyscallMapSyscallThreads]
		threads.Type, threads.Flags, threads.MaxEntries = ebpf.Array, 0, 1
		spec.Maps[bpf.SyscallMapSyscallByAddress].MaxEntries = threadsByAddress
	}
	return spec, nil
}

func (c *calls) hasTaskStorage() bool { return c.host.BTF.HasHelper(sinceTaskStorage) }

// Variables implements program.Program.
func (c *calls) Variables() map[string]any {
	variables := map[string]any{
		bpf.SyscallVarHistogramBounds: c.host.Histogram.Table(),
		bpf.SyscallVarWantedCalls: callsWhere(func(name string) bool {
			return !slices.Contains(noreturn, name) && (len(c.config.Syscalls) == 0 || slices.Contains(c.config.Syscalls, name))
		}),
		bpf.SyscallVarCallKinds:       kindsByCall(),
		bpf.SyscallVarByContainer:     c.config.detail() != detailHost,
		bpf.SyscallVarWithBuckets:     c.config.detail() == detailFull,
		bpf.SyscallVarSlowThreshold:   uint64(c.config.Threshold.Nanoseconds()),
		bpf.SyscallVarReportWaiting:   c.config.Waiting,
		bpf.SyscallVarOnlyExecutables: len(c.config.Executables) > 0,
		bpf.SyscallVarOnlyContainers:  len(c.config.Containers) > 0,
		bpf.SyscallVarNoTaskStorage:   !c.hasTaskStorage(),
		bpf.SyscallVarIsPreemptible:   c.host.IsPreemptible(),
	}
	if len(c.config.Executables) > 0 {
		variables[bpf.SyscallVarReadNames] = true
	}
	return variables
}

// Events implements program.Program.
func (c *calls) Events() uint32 {
	return program.EventBits(map[bpf.SyscallEventId]bool{bpf.SyscallEventIdEVENT_SLOW: c.host.Events.EbpfSyscallSlow.Enabled})
}

// Loaded implements program.Program.
func (c *calls) Loaded(maps map[string]*ebpf.Map) error {
	var overflow []bpf.SyscallSeries
	for slot := range histogram.Slots {
		for failed := range 2 {
			overflow = append(overflow, bpf.SyscallSeries{Cgroup: metrics.OverflowCgroup, Slot: uint16(slot), Error: uint16(failed)})
		}
	}
	if err := c.counts.Loaded(maps[bpf.SyscallMapSyscallCounts], seriesOf, overflow...); err != nil {
		return err
	}
	for _, name := range c.config.Executables {
		key := name.Key()
		if err := maps[bpf.SyscallMapSyscallExecutables].Put(&key, uint8(1)); err != nil {
			return fmt.Errorf("select executable %s: %w", name, err)
		}
	}
	for _, id := range c.config.Containers {
		key := containerKey(id)
		if err := maps[bpf.SyscallMapSelectedContainers].Put(&key, uint8(1)); err != nil {
			return fmt.Errorf("select container %s: %w", id, err)
		}
		if !c.host.Containers.Has(string(id)) {
			c.host.Logger.Info("Container not found yet; its system calls are counted once it starts", zap.String("container.id", string(id)))
		}
	}
	return nil
}

// containerKey is the key by which the BPF side selects containers whose ids begin with the setting.
func containerKey(id program.ContainerID) bpf.SyscallContainerId {
	key := bpf.SyscallContainerId{PrefixLength: uint32(8 * len(id))}
	copy(key.Digits[:], id)
	return key
}

// Hooks implements program.Program. A system call begins and ends in its own thread, where nothing interrupts it and
// calls these hooks again.
func (c *calls) Hooks() []program.Hook {
	hooks := []program.Hook{
		c.host.PreemptibleTracepoint(bpf.SyscallProgSyscallEnter, bpf.SyscallProgSyscallEnterMissed, "sys_enter"),
		c.host.PreemptibleTracepoint(bpf.SyscallProgSyscallExit, bpf.SyscallProgSyscallExitMissed, "sys_exit"),
	}
	if !c.hasTaskStorage() {
		hooks = append(hooks, program.Tracepoint(bpf.SyscallProgSyscallForget, "sched_process_exit"))
	}
	return hooks
}
