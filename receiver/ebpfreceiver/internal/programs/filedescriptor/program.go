// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"fmt"
	"io"
	"time"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Operations that are counted.
const (
	opened = uint32(bpf.FileDescriptorOperationOPERATION_OPEN)
	closed = uint32(bpf.FileDescriptorOperationOPERATION_CLOSE)
)

// flushVersion is the kernel from which on close() does not go by way of filp_close.
var flushVersion = kernel.Version{Major: 6, Minor: 6}

// descriptors is the program in a running receiver. All of it but AppendLog is for Scrape, which reads what there is open
// once an interval.
type descriptors struct {
	config     *Config
	host       *program.Host
	operations *program.Series[bpf.FileDescriptorSeries, series, bpf.FileDescriptorCounts]

	// begin tells the kernel half that a scan begins, and open reads it.
	begin func(*bpf.FileDescriptorScan) error
	open  func() (io.ReadCloser, error)
	// tell has the kernel half write the record of a leak.
	tell  func(*bpf.FileDescriptorLeak) error
	leaks *ebpf.Map

	scans   uint64
	split   map[process]bool
	growths *growths
	// started is what the times of growths are counted from.
	started time.Time
	names   *batch.Names
}

var _ program.Program = (*descriptors)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	config := cfg.(*Config)
	return &descriptors{
		config:     config,
		host:       host,
		operations: program.NewSeries(seriesOf, fate),
		growths:    newGrowths(config.LeakIntervals),
		started:    time.Now(),
		names:      batch.NewNames(),
	}
}

// Spec implements program.Program.
func (*descriptors) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadFileDescriptor() }

// Variables implements program.Program. The metrics have the names of processes, too.
func (*descriptors) Variables() map[string]any {
	return map[string]any{bpf.FileDescriptorVarReadNames: true}
}

// Events implements program.Program.
func (d *descriptors) Events() uint32 {
	return program.EventBits(map[bpf.FileDescriptorEventId]bool{
		bpf.FileDescriptorEventIdEVENT_LEAK: d.host.Events.EbpfFileDescriptorLeak.Enabled,
	})
}

// Loaded implements program.Program.
func (d *descriptors) Loaded(maps map[string]*ebpf.Map) error {
	scans := maps[bpf.FileDescriptorMapFileDescriptorScan]
	d.begin = func(scan *bpf.FileDescriptorScan) error {
		if err := scans.Put(uint32(0), scan); err != nil {
			return fmt.Errorf("write to map %s: %w", scans, err)
		}
		return nil
	}
	d.leaks = maps[bpf.FileDescriptorMapFileDescriptorLeaks]
	return d.operations.Loaded(maps[bpf.FileDescriptorMapFileDescriptorOperations],
		bpf.FileDescriptorSeries{Cgroup: program.OverflowCgroup, Operation: opened},
		bpf.FileDescriptorSeries{Cgroup: program.OverflowCgroup, Operation: closed},
	)
}

// Hooks implements program.Program. What counts opens and closes needs trampolines, which not all kernels have.
func (d *descriptors) Hooks() []program.Hook {
	hooks := []program.Hook{
		program.Callable(bpf.FileDescriptorProgFileDescriptorLeak, d.tellBy),
		program.Reader(bpf.FileDescriptorProgFileDescriptorScanTasks, "task_file", func(open program.OpenReader) { d.open = open }),
	}
	if !d.config.Operations {
		return hooks
	}
	closes := []program.Place{{Function: bpf.FileDescriptorProgFileDescriptorFlush, Hook: "fentry/filp_flush"}}
	if d.closesByFilpClose() {
		closes = append(closes, program.Place{Function: bpf.FileDescriptorProgFileDescriptorClose, Hook: "fentry/filp_close"})
	}
	for _, places := range [][]program.Place{
		{{Function: bpf.FileDescriptorProgFileDescriptorOpen, Hook: "fentry/fd_install"}},
		{{Function: bpf.FileDescriptorProgFileDescriptorDup2, Hook: "fexit/do_dup2"}},
		closes,
	} {
		hook := program.Trampoline(places...)
		hook.Optional = true
		hooks = append(hooks, hook)
	}
	return hooks
}

// closesByFilpClose returns whether the kernel is so old that everything that is closed goes through filp_close.
func (d *descriptors) closesByFilpClose() bool {
	release, err := d.host.Kernel.Release()
	if err != nil {
		return false
	}
	version, err := kernel.ParseVersion(release)
	return err == nil && version.Less(flushVersion)
}

// tellBy makes tell of the function that writes the record.
func (d *descriptors) tellBy(function *ebpf.Program) {
	d.tell = func(leak *bpf.FileDescriptorLeak) error {
		if err := d.leaks.Put(uint32(0), leak); err != nil {
			return fmt.Errorf("write to map %s: %w", d.leaks, err)
		}
		if _, err := function.Run(&ebpf.RunOptions{}); err != nil {
			return fmt.Errorf("write the record of a leak: %w", err)
		}
		return nil
	}
}
