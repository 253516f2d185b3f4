// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package vm boots kernels in QEMU. It uses software emulation, which works on every machine and for every architecture.
package vm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Machine is a virtual machine with a kernel and an initramfs, and nothing else.
type Machine struct {
	// Architecture is amd64 or arm64.
	Architecture string
	// Kernel and Initramfs are file names.
	Kernel, Initramfs string
	// Log receives the whole output of the console.
	Log io.Writer
}

type emulator struct {
	command string
	args    []string
	console string
}

var emulators = map[string]emulator{
	// With five-level page tables, QEMU 7.2 makes some kernels fault while they boot.
	"amd64": {"qemu-system-x86_64", []string{"-cpu", "max,la57=off"}, "ttyS0"},
	// Emulating pointer authentication with the architected algorithm would take most of the CPU time.
	"arm64": {"qemu-system-aarch64", []string{"-M", "virt", "-cpu", "max,pauth-impdef=on"}, "ttyAMA0"},
}

// Run runs the machine until it halts, or until line returns false. Lines are those of the console.
func (m *Machine) Run(ctx context.Context, line func(string) bool) error {
	e, ok := emulators[m.Architecture]
	if !ok {
		return fmt.Errorf("no emulator for architecture %s", m.Architecture)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// One thread for both processors: with one thread each, QEMU 7.2 occasionally executes an instruction that the kernel has
	// just patched, and the kernel panics. A kernel that panics reboots at once, which ends the machine.
	cmd := exec.CommandContext(ctx, e.command, append(e.args,
		"-accel", "tcg,thread=single", "-smp", "2", "-m", "1G", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-nic", "none",
		"-kernel", m.Kernel, "-initrd", m.Initramfs, "-append", "console="+e.console+" panic=-1 quiet")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the emulator (Debian packages qemu-system-x86 and qemu-system-arm): %w", err)
	}
	stopped := false
	lines := bufio.NewReader(io.TeeReader(out, m.Log))
	for !stopped {
		text, err := lines.ReadString('\n')
		if text != "" && !line(text) {
			stopped = true
			cancel()
		}
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	if stopped {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", e.command, err), errors.New(strings.TrimSpace(complaints.String())))
	}
	return nil
}
