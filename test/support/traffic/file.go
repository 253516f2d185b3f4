// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FileCall is a system call on a file.
type FileCall struct {
	// Call is the name of the system call.
	Call string
	// Dir is the directory whose descriptor the call gets, if it takes one; "" is AT_FDCWD.
	Dir string
	// Path is the call's path; for a rename, the new path.
	Path string
	// From is the old path of a rename.
	From string
	// Flags are the flags of the call, if it takes any.
	Flags int
	// Resolve is the field of openat2's struct open_how.
	Resolve uint64
	// ClosedDir passes a descriptor that is not open. BadAddress passes an invalid address instead of a path.
	ClosedDir, BadAddress bool
	// ByRing uses io_uring. Silently asks io_uring for no completion of a success.
	ByRing, Silently bool
}

const (
	// closedDescriptor is above every descriptor of an agent.
	closedDescriptor = 1 << 20
	// badAddress is in the first page, which is never mapped.
	badAddress = 8
)

// Called is the result of a FileCall.
type Called struct {
	Span
	Errno unix.Errno
}

var callFile = Define("file.call", func(c FileCall) (Called, error) {
	dir := unix.AT_FDCWD
	if c.Dir != "" {
		var err error
		if dir, err = unix.Open(c.Dir, unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
			return Called{}, fmt.Errorf("opening %s: %w", c.Dir, err)
		}
		defer func() { _ = unix.Close(dir) }()
	}
	if c.ClosedDir {
		dir = closedDescriptor
	}
	span, errno, err := timed(func() error {
		if c.ByRing {
			return c.doByRing(dir, c.Silently)
		}
		return c.do(dir)
	})
	return Called{span, errno}, err
})

func (c FileCall) do(dir int) error {
	switch c.Call {
	case "unlink":
		return unix.Unlink(c.Path)
	case "unlinkat":
		if c.BadAddress {
			if _, _, errno := unix.Syscall(unix.SYS_UNLINKAT, uintptr(dir), badAddress, uintptr(c.Flags)); errno != 0 {
				return errno
			}
			return nil
		}
		return unix.Unlinkat(dir, c.Path, c.Flags)
	case "rmdir":
		return unix.Rmdir(c.Path)
	case "rename":
		return unix.Rename(c.From, c.Path)
	case "renameat":
		return unix.Renameat(unix.AT_FDCWD, c.From, dir, c.Path)
	case "renameat2":
		return unix.Renameat2(unix.AT_FDCWD, c.From, dir, c.Path, uint(c.Flags))
	case "creat":
		return closing(unix.Creat(c.Path, 0o600))
	case "open":
		return closing(open(c.Path, c.Flags))
	case "openat":
		return closing(unix.Openat(dir, c.Path, c.Flags, 0o600))
	case "openat2":
		how := &unix.OpenHow{Flags: uint64(c.Flags), Resolve: c.Resolve}
		if c.Flags&unix.O_CREAT != 0 {
			how.Mode = 0o600
		}
		return closing(unix.Openat2(dir, c.Path, how))
	default:
		return fmt.Errorf("no system call %s is known", c.Call)
	}
}

func closing(fd int, err error) error {
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// CallFile has the agent make a system call on a file.
func (a *Agent) CallFile(c FileCall) Called {
	a.t.Helper()
	return callFile.Call(a, c)
}

var changeDir = Define("file.chdir", func(dir string) (Nothing, error) { return Nothing{}, unix.Chdir(dir) })

// ChangeDir changes the agent's working directory.
func (a *Agent) ChangeDir(dir string) {
	a.t.Helper()
	changeDir.Call(a, dir)
}

var changeRoot = Define("file.chroot", func(dir string) (Nothing, error) {
	// Change the root of this thread only.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return Nothing{}, err
	}
	if err := unix.Chroot(dir); err != nil {
		return Nothing{}, err
	}
	return Nothing{}, unix.Chdir("/")
})

// ChangeRoot changes the root of the agent's main thread, and its working directory to it.
func (a *Agent) ChangeRoot(dir string) {
	a.t.Helper()
	changeRoot.Call(a, dir)
}

var mountPrivately = Define("file.mount", func(dir string) (Nothing, error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return Nothing{}, err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return Nothing{}, err
	}
	if err := unix.Mount("test", dir, "tmpfs", 0, ""); err != nil {
		return Nothing{}, err
	}
	return Nothing{}, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)
})

// MountPrivately gives the agent's main thread a mount namespace of its own, with a tmpfs that has an empty file named
// "file".
func (a *Agent) MountPrivately(dir string) {
	a.t.Helper()
	mountPrivately.Call(a, dir)
}

type massArgs struct {
	Dir   string
	Count int
}

var deleteMany = Define("file.delete.many", func(args massArgs) (Nothing, error) {
	path := filepath.Join(args.Dir, "one-of-many")
	for range args.Count {
		fd, err := unix.Open(path, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err := closing(fd, err); err != nil {
			return Nothing{}, err
		}
		if err := unix.Unlink(path); err != nil {
			return Nothing{}, err
		}
	}
	return Nothing{}, nil
})

// DeleteMany creates a file, open for writing, and deletes it, that many times.
func (a *Agent) DeleteMany(dir string, count int) {
	a.t.Helper()
	deleteMany.Call(a, massArgs{dir, count})
}
