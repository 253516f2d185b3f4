// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command guest is the init process of a test kernel. It mounts the file systems, loads the modules, runs the test binaries
// of its plan, writes their output to the console, and halts the machine. If there is a whole system, its systemd does the first, and
// starts the command for the rest.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/script"
)

func main() {
	console, err := begin()
	if err == nil {
		err = follow(console)
	}
	if console != nil {
		if err != nil {
			_ = script.Write(console, script.Failed, strings.ReplaceAll(err.Error(), "\n", " "))
		}
		_ = script.Write(console, script.Done, "")
		// Drain the console: output that is still buffered would be lost with the machine.
		_ = unix.IoctlSetInt(int(console.Fd()), unix.TCSBRK, 1)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

func begin() (console *os.File, err error) {
	if os.Getpid() != 1 {
		return os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if _, err := os.Stat(script.Root); err == nil {
		return nil, startSystem(script.Root)
	}
	return setUp()
}

func follow(console *os.File) error {
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		return err
	}
	if err := script.Write(console, script.Booted, unix.ByteSliceToString(uname.Release[:])); err != nil {
		return err
	}
	raw, err := os.ReadFile(script.PlanFile)
	if err != nil {
		return err
	}
	var plan script.Plan
	if err := json.Unmarshal(raw, &plan); err != nil {
		return fmt.Errorf("read %s: %w", script.PlanFile, err)
	}
	for _, c := range plan.Commands {
		if err := run(console, c, plan.Environment); err != nil {
			return fmt.Errorf("run the tests of %s: %w", c.Name, err)
		}
	}
	return nil
}

func run(console io.Writer, c script.Command, environment []string) error {
	if err := script.Write(console, script.Begin, c.Name); err != nil {
		return err
	}
	output := &splitter{console: console}
	cmd := exec.Command(c.Arguments[0], c.Arguments[1:]...)
	cmd.Dir = c.Directory
	cmd.Env = append([]string{"PATH=/bin", "HOME=/root", "TMPDIR=/tmp"}, environment...)
	cmd.Stdout, cmd.Stderr = output, output
	// Processes that a test left running may hold the pipe open.
	cmd.WaitDelay = 5 * time.Second
	end := ""
	if err := cmd.Run(); err != nil {
		end = err.Error()
	}
	if err := output.flush(); err != nil {
		return err
	}
	return script.Write(console, script.End, end)
}

// splitter is a writer that sends complete lines to the console.
type splitter struct {
	console io.Writer
	partial []byte
}

func (s *splitter) Write(b []byte) (int, error) {
	s.partial = append(s.partial, b...)
	for {
		line, rest, found := bytes.Cut(s.partial, []byte("\n"))
		if !found {
			return len(b), nil
		}
		s.partial = rest
		if err := script.Write(s.console, script.Output, string(line)); err != nil {
			return 0, err
		}
	}
}

func (s *splitter) flush() error {
	if len(s.partial) == 0 {
		return nil
	}
	_, err := s.Write([]byte("\n"))
	return err
}
