// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package restrict

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// AllBut returns all capabilities except those to keep. It is meant for Restriction.Drop.
func AllBut(kept ...uintptr) (others []uintptr) {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if !slices.Contains(kept, c) {
			others = append(others, c)
		}
	}
	return others
}

// Impose restricts the calling thread, and all processes that it starts later. The thread must not be used for anything else.
func (r *Restriction) Impose() error {
	if r.Unshare != 0 {
		if err := unix.Unshare(r.Unshare); err != nil {
			return fmt.Errorf("make namespaces %#x: %w", r.Unshare, err)
		}
	}
	if len(r.Unmount)+len(r.Mount) > 0 {
		if err := r.remount(); err != nil {
			return err
		}
	}
	for _, c := range r.Drop {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if r.User != nil {
		if err := r.User.become(); err != nil {
			return err
		}
	}
	if r.NoNewPrivileges || r.Syscalls != nil { // a seccomp filter needs no_new_privs or CAP_SYS_ADMIN
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("set no_new_privs: %w", err)
		}
	}
	if r.Syscalls != nil {
		return allow(r.Syscalls)
	}
	return nil
}

func (r *Restriction) remount() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	mounts, err := os.ReadFile("/proc/thread-self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && slices.Contains(r.Unmount, f[2]) {
			if err := unix.Unmount(f[1], unix.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", f[1], err)
			}
		}
	}
	for _, m := range r.Mount {
		if err := m.mount(); err != nil {
			return fmt.Errorf("mount %s%s at %s: %w", m.Type, m.Source, m.At, err)
		}
	}
	return nil
}

func (m *Mount) mount() error {
	source, flags := m.Source, uintptr(0)
	if m.Type == "" {
		flags = unix.MS_BIND | unix.MS_REC
	} else if source == "" {
		source = "none"
	}
	if err := unix.Mount(source, m.At, m.Type, flags, ""); err != nil {
		return err
	}
	if !m.ReadOnly {
		return nil
	}
	return unix.MountSetattr(unix.AT_FDCWD, m.At, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// become changes to an ordinary user that keeps some capabilities.
func (u *User) become() error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	// Only this thread changes its ids. unix.Setresuid would change those of all threads.
	for _, call := range []struct {
		name   string
		number uintptr
		args   [3]uintptr
	}{
		{"setgroups", unix.SYS_SETGROUPS, [3]uintptr{}},
		{"setresgid", unix.SYS_SETRESGID, [3]uintptr{uintptr(u.ID), uintptr(u.ID), uintptr(u.ID)}},
		{"setresuid", unix.SYS_SETRESUID, [3]uintptr{uintptr(u.ID), uintptr(u.ID), uintptr(u.ID)}},
	} {
		if _, _, errno := unix.RawSyscall(call.number, call.args[0], call.args[1], call.args[2]); errno != 0 {
			return fmt.Errorf("%s %d: %w", call.name, u.ID, errno)
		}
	}
	var data [2]unix.CapUserData
	for _, c := range u.Capabilities {
		data[c/32].Permitted |= 1 << (c % 32)
	}
	for i := range data {
		data[i].Inheritable, data[i].Effective = data[i].Permitted, data[i].Permitted
	}
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return fmt.Errorf("keep capabilities %v: %w", u.Capabilities, err)
	}
	for _, c := range u.Capabilities {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, c, 0, 0); err != nil {
			return fmt.Errorf("make capability %d ambient: %w", c, err)
		}
	}
	return nil
}
