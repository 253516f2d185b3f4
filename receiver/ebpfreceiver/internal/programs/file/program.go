// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"fmt"
	"sync"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Operations by which files are counted.
const (
	unlinked = uint8(bpf.FileOperationOPERATION_UNLINK)
	removed  = uint8(bpf.FileOperationOPERATION_RMDIR)
	renamed  = uint8(bpf.FileOperationOPERATION_RENAME)
	opened   = uint8(bpf.FileOperationOPERATION_OPEN)
)

// files is the program in a running receiver.
type files struct {
	config *Config
	host   *program.Host
	counts metrics.Series[bpf.FileSeries, series, bpf.FileCounts]
	// split reports whether hooked functions are split. It is found out once.
	split func() bool
	// path is a buffer for the path of a file.
	path []byte
}

var _ program.Program = (*files)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	return &files{
		config: cfg.(*Config),
		host:   host,
		split:  sync.OnceValue(func() bool { return isSplit(host) }),
	}
}

// Spec implements program.Program.
func (*files) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadFile() }

// Variables implements program.Program. No hook is attached to a function that this kernel does not have.
func (f *files) Variables() map[string]any {
	variables := map[string]any{
		bpf.FileVarReportOpens:    len(f.config.Opens.Paths) > 0,
		bpf.FileVarOpensWriteOnly: f.config.Opens.WriteOnly,
	}
	for function, variable := range map[string]string{
		"vfs_unlink": bpf.FileVarUnlinkArguments,
		"vfs_rmdir":  bpf.FileVarRmdirArguments,
		"vfs_rename": bpf.FileVarRenameArguments,
	} {
		arguments, _ := f.host.BTF.FunctionArgs(function)
		variables[variable] = uint32(arguments)
	}
	arguments, _ := f.host.BTF.TracepointArgs("io_uring_complete")
	variables[bpf.FileVarUringCompleteArguments] = uint32(arguments)
	return variables
}

// Events implements program.Program.
func (f *files) Events() uint32 {
	return program.EventBits(map[bpf.FileEventId]bool{
		bpf.FileEventIdEVENT_DELETE: f.host.Events.EbpfFileDelete.Enabled,
		bpf.FileEventIdEVENT_OPEN:   f.host.Events.EbpfFileOpen.Enabled,
	})
}

// Loaded implements program.Program.
func (f *files) Loaded(maps map[string]*ebpf.Map) error {
	for _, path := range watchedPaths(f.config.Opens.Paths, f.host.Logger) {
		for _, key := range prefixesOf(path) {
			if err := maps[bpf.FileMapFileOpenedPaths].Put(&key, uint8(1)); err != nil {
				return fmt.Errorf("write to map %s: %w", bpf.FileMapFileOpenedPaths, err)
			}
		}
	}
	return f.counts.Loaded(maps[bpf.FileMapFileOperations], seriesOf,
		bpf.FileSeries{Cgroup: metrics.OverflowCgroup, Operation: unlinked},
		bpf.FileSeries{Cgroup: metrics.OverflowCgroup, Operation: opened},
	)
}

// prefixesOf returns the two prefixes that match a path and everything below it.
func prefixesOf(path string) []bpf.FilePrefix {
	if path == "/" {
		return []bpf.FilePrefix{prefixOf(path)}
	}
	return []bpf.FilePrefix{prefixOf(path + "\x00"), prefixOf(path + "/")}
}

func prefixOf(text string) (prefix bpf.FilePrefix) {
	prefix.Length = uint32(len(text)) * 8
	for i := range len(text) {
		prefix.Text[i] = int8(text[i])
	}
	return prefix
}

// Hooks implements program.Program.
func (f *files) Hooks() []program.Hook {
	return []program.Hook{hook(len(f.config.Opens.Paths) > 0, f.split())}
}
