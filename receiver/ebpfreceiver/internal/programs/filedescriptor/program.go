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
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Operations that are counted.
const (
	opened = uint32(bpf.FileDescriptorOperationOPERATION_OPEN)
	closed = uint32(bpf.FileDescriptorOperationOPERATION_CLOSE)
)

// flushVersion is the first kernel whose close() calls filp_flush instead of filp_close.
var flushVersion = kernel.Version{Major: 6, Minor: 6}

// descriptors is the program in a running receiver. Everything happens in Scrape, which reads the open descriptors once per
// interval; the BPF side writes no records.
type descriptors struct {
	config     *Config
	host       *program.Host
	operations metrics.Series[bpf.FileDescriptorSeries, series, bpf.FileDescriptorCounts]

	// beginScan begins a scan on the BPF side; openScan opens the iterator that performs it.
	beginScan func(*bpf.FileDescriptorScan) error
	openScan  func() (io.ReadCloser, error)

	scans    uint64
	unshared map[process]bool
	leaks    *leakDetector
	// started is the zero of the leak detector's clock.
	started time.Time
	names   *batch.Names
}

var (
	_ program.Program  = (*descriptors)(nil)
	_ program.IterUser = (*descriptors)(nil)
)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	config := cfg.(*Config)
	return &descriptors{
		config:  config,
		host:    host,
		leaks:   newLeakDetector(config.LeakIntervals),
		started: time.Now(),
		names:   batch.NewNames(),
	}
}

// Hooks implements program.Program. Opens and closes are counted by trampolines, which some kernels lack.
func (d *descriptors) Hooks() []program.Hook {
	hooks := []program.Hook{program.Reader(bpf.FileDescriptorProgFileDescriptorScanTasks, "task_file")}
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

// closesByFilpClose reports whether the kernel is so old that every close goes through filp_close.
func (d *descriptors) closesByFilpClose() bool {
	release, err := d.host.Kernel.Release()
	if err != nil {
		return false
	}
	version, err := kernel.ParseVersion(release)
	return err == nil && version.Less(flushVersion)
}

// Spec implements program.Program.
func (*descriptors) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadFileDescriptor() }

// Variables implements program.Program. The metrics have names of processes, so names are needed even without events.
func (*descriptors) Variables() map[string]any {
	return map[string]any{bpf.FileDescriptorVarReadNames: true}
}

// Events implements program.Program. Leaks are found in user space.
func (*descriptors) Events() uint32 { return 0 }

// Loaded implements program.Program.
func (d *descriptors) Loaded(maps map[string]*ebpf.Map) error {
	scans := maps[bpf.FileDescriptorMapFileDescriptorScan]
	d.beginScan = func(scan *bpf.FileDescriptorScan) error {
		if err := scans.Put(uint32(0), scan); err != nil {
			return fmt.Errorf("write to map %s: %w", scans, err)
		}
		return nil
	}
	return d.operations.Loaded(maps[bpf.FileDescriptorMapFileDescriptorOperations], seriesOf,
		bpf.FileDescriptorSeries{Cgroup: metrics.OverflowCgroup, Operation: opened},
		bpf.FileDescriptorSeries{Cgroup: metrics.OverflowCgroup, Operation: closed},
	)
}

// Attached implements program.IterUser.
func (d *descriptors) Attached(iters map[string]*program.Iter) {
	d.openScan = iters[bpf.FileDescriptorProgFileDescriptorScanTasks].Open
}

// AppendLog implements program.Program.
func (*descriptors) AppendLog(_ *batch.Batch, raw []byte) error {
	return fmt.Errorf("unexpected record of %d bytes: program file_descriptor writes no records", len(raw))
}
