// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"runtime"

	"go.uber.org/zap"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// hook returns the hook for deletions and, if asked for, opens. It uses the functions that all of them pass through.
// Otherwise it uses the tracepoints of the system calls, which slow down every system call of the host; or, without
// tracefs, the tracepoint of all system calls, which is slower still. io_uring passes through the functions; with
// tracepoints it is seen where the kernel has tracepoints for it. If the compiler has split a function, some calls bypass
// it.
func hook(opens, split bool) program.Hook {
	calls := exits(opens)
	anyCall := program.Tracepoint(bpf.FileProgFileExitAny, "sys_exit")
	uring := program.Together(
		program.Tracepoint(bpf.FileProgFileUringSubmit, "io_uring_submit_req"),
		program.Tracepoint(bpf.FileProgFileUringComplete, "io_uring_complete"),
	)
	ways := []program.Hook{program.Together(calls, uring), calls, program.Together(anyCall, uring), anyCall}
	if !split {
		ways = append(functions(opens), ways...)
	}
	return program.FirstOf(ways...)
}

// isSplit reports whether the compiler has split a hooked function.
func isSplit(host *program.Host) bool {
	split, err := host.Symbols.Split("vfs_unlink", "vfs_rmdir", "vfs_rename", "do_filp_open", "do_file_open")
	if err != nil {
		host.Logger.Warn("Cannot check whether hooked functions are inlined; some deletions may be missed", zap.Error(err))
	}
	return len(split) > 0
}

// functions returns hooks at the functions. A kernel has at most one of those given for one purpose.
func functions(opens bool) []program.Hook {
	deletions := program.Together(
		at(bpf.FileProgFileAfterUnlink, "fexit/vfs_unlink"),
		at(bpf.FileProgFileAfterRmdir, "fexit/vfs_rmdir"),
		at(bpf.FileProgFileAfterRename, "fexit/vfs_rename"),
		at(bpf.FileProgFileBeforeUnlink, "fentry/security_path_unlink"),
		at(bpf.FileProgFileBeforeRmdir, "fentry/security_path_rmdir"),
		at(bpf.FileProgFileBeforeRename, "fentry/security_path_rename"),
	)
	if !opens {
		return []program.Hook{deletions}
	}
	return []program.Hook{
		program.Together(deletions, at(bpf.FileProgFileOpen, "fexit/do_filp_open")),
		program.Together(deletions, at(bpf.FileProgFileOpenNewer, "fexit/do_file_open")),
	}
}

// exits returns a hook at the exits of the system calls.
func exits(opens bool) program.Hook {
	hooks := []program.Hook{
		program.Syscall(bpf.FileProgFileExitUnlinkat, "sys_exit_unlinkat"),
		program.Syscall(bpf.FileProgFileExitRenameat, "sys_exit_renameat"),
		program.Syscall(bpf.FileProgFileExitRenameat2, "sys_exit_renameat2"),
	}
	if opens {
		hooks = append(hooks,
			program.Syscall(bpf.FileProgFileExitOpenat, "sys_exit_openat"),
			program.Syscall(bpf.FileProgFileExitOpenat2, "sys_exit_openat2"),
		)
	}
	if runtime.GOARCH != "amd64" {
		return program.Together(hooks...)
	}
	hooks = append(hooks,
		program.Syscall(bpf.FileProgFileExitUnlink, "sys_exit_unlink"),
		program.Syscall(bpf.FileProgFileExitRmdir, "sys_exit_rmdir"),
		program.Syscall(bpf.FileProgFileExitRename, "sys_exit_rename"),
	)
	if opens {
		hooks = append(hooks,
			program.Syscall(bpf.FileProgFileExitOpen, "sys_exit_open"),
			program.Syscall(bpf.FileProgFileExitCreat, "sys_exit_creat"),
		)
	}
	return program.Together(hooks...)
}

// at returns a hook at one function of the kernel.
func at(function, name string) program.Hook {
	return program.Trampoline(program.Place{Function: function, Hook: name})
}
