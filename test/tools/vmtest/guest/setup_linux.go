// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/script"
)

// mounts are the file systems of an ordinary host, in mounting order.
var mounts = []struct{ kind, at string }{
	{"proc", "/proc"},
	{"sysfs", "/sys"},
	{"devtmpfs", "/dev"},
	{"tmpfs", "/tmp"},
	{"tmpfs", "/run"},
	{"tracefs", "/sys/kernel/tracing"},
	{"cgroup2", "/sys/fs/cgroup"},
	{"bpf", "/sys/fs/bpf"},
}

// setUp turns the bare kernel into an ordinary host, and returns its console.
func setUp() (console *os.File, err error) {
	for _, m := range mounts {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return console, err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return console, fmt.Errorf("mount %s: %w", m.at, err)
		}
		if m.at == "/dev" {
			if console, err = os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
				return nil, err
			}
		}
	}
	if err := os.Chmod("/tmp", 0o1777); err != nil {
		return console, err
	}
	return console, errors.Join(loadModules(), loopbackUp())
}

func loadModules() error {
	order, err := os.ReadFile(script.ModulesFile)
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(order)) {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(script.ModulesFile), name+".ko"))
		if err != nil {
			return err
		}
		if err := unix.InitModule(content, ""); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load module %s: %w", name, err)
		}
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("set the loopback interface up: %w", err)
	}
	return nil
}

// startSystem makes a folder the root, and its systemd this process. A root that is not a mount of its own could not be replaced
// by those of services.
func startSystem(root string) error {
	if err := unix.Mount(root, root, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(root, "/", "", unix.MS_MOVE, ""); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return unix.Exec("/usr/lib/systemd/systemd", []string{"systemd"}, []string{"PATH=/usr/sbin:/usr/bin"})
}
