// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command service boots a small Debian with systemd in QEMU, and runs test/suites/service there. The machine is made of Debian's packages,
// kernel included, and of the packages of a release.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/debian"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/initramfs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/script"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/vm"
)

const (
	// series is the kernel, release the Debian whose systemd runs.
	series, release = "6.12", "bookworm"
	architecture    = "amd64"
)

func main() {
	cache := flag.String("cache", ".cache/kernels", "directory for downloads, binaries and logs")
	first := flag.String("first", "", "Debian package to install")
	later := flag.String("later", "", "Debian package to upgrade to")
	timeout := flag.Duration("timeout", 15*time.Minute, "time limit of the machine")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("still running after %s", *timeout))
	err := run(ctx, *cache, map[string]string{"/packages/first.deb": *first, "/packages/later.deb": *later})
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run builds the machine and runs it. The files are those to test, by their paths in the machine.
func run(ctx context.Context, cache string, files map[string]string) (err error) {
	dir := filepath.Join(cache, "service")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for path, name := range map[string]string{"/init": "./test/tools/vmtest/guest", testBinary: "./test/suites/service"} {
		files[path] = filepath.Join(dir, filepath.Base(path))
		if err := build(ctx, name, files[path]); err != nil {
			return err
		}
	}
	archives, err := debian.MachineArchives(ctx)
	if err != nil {
		return err
	}
	// The folder of the kernel tests may be in use.
	apt, err := debian.NewApt(filepath.Join(dir, "apt"), archives)
	if err != nil {
		return err
	}
	index, err := apt.Kernels(ctx)
	if err != nil {
		return err
	}
	m := vm.Machine{Architecture: architecture, Initramfs: filepath.Join(dir, "root.cpio")}
	if m.Kernel, err = kernel(ctx, apt, index); err != nil {
		return err
	}
	if err := pack(ctx, m.Initramfs, apt, files); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "console.log"))
	if err != nil {
		return err
	}
	m.Log = log
	fmt.Println("Booting Debian with systemd; the console is in", log.Name())
	return errors.Join(follow(ctx, &m), log.Close())
}

// build builds a static command or test binary.
func build(ctx context.Context, path, to string) error {
	args := []string{"build"}
	if strings.HasSuffix(to, ".test") {
		args = []string{"test", "-c"}
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "-trimpath", "-ldflags=-s -w", "-o", to, path)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

func kernel(ctx context.Context, apt *debian.Apt, index []debian.Package) (string, error) {
	newest, err := debian.Newest(index, series, architecture)
	if err != nil {
		return "", err
	}
	dir, err := apt.Unpack(ctx, newest)
	if err != nil {
		return "", err
	}
	return debian.KernelFile(dir)
}

// pack writes the file system of the machine.
func pack(ctx context.Context, to string, apt *debian.Apt, files map[string]string) error {
	return initramfs.Create(to, func(w *initramfs.Writer) error {
		r := &root{w}
		if err := r.add(ctx, apt); err != nil {
			return err
		}
		for path, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			// The kernel starts the first process outside of the root that systemd gets, and systemd the same program inside.
			if path == script.Init {
				w.File(path, 0o755, content)
			}
			w.File(script.Root+path, 0o755, content)
		}
		return nil
	})
}

// follow runs the machine and shows what the tests write.
func follow(ctx context.Context, m *vm.Machine) error {
	began := time.Now()
	failed, ended, done := error(nil), false, false
	err := m.Run(ctx, func(raw string) bool {
		l, ok := script.Parse(raw)
		if !ok {
			return true
		}
		switch l.Kind {
		case script.Booted:
			fmt.Printf("Linux %s and systemd after %s\n", l.Text, time.Since(began).Round(time.Second))
		case script.Output:
			fmt.Println(l.Text)
		case script.End:
			if ended = true; l.Text != "" {
				failed = fmt.Errorf("the tests: %s", l.Text)
			}
		case script.Failed:
			failed = errors.New(l.Text)
		case script.Done:
			done = true
		case script.Begin:
		}
		return !done
	})
	if err == nil && failed == nil && !ended {
		err = errors.New("the machine halted before the tests ended")
	}
	fmt.Printf("%s in all\n", time.Since(began).Round(time.Second))
	return errors.Join(err, failed)
}
