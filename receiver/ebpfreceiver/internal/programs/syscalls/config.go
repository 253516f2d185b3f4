// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package syscalls is the program `syscall`: how long system calls take, how they fail, and which are slow.
package syscalls

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

const (
	// defaultEventLimit holds back the events of a slow disk that all processes wait for, never their metrics.
	defaultEventLimit = 100

	defaultThreshold           = 100 * time.Millisecond
	minThreshold, maxThreshold = time.Microsecond, 24 * time.Hour

	// maxContainers bounds the list.
	maxContainers = 16
	// minContainerID is how many digits of a container's id tell it from others, of maxContainerID.
	minContainerID = 12
	maxContainerID = int(unsafe.Sizeof(bpf.SyscallContainerId{}.Digits))
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:          "syscall",
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

// Config is the configuration block `programs::syscall`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Syscalls are the names of the system calls that are looked at; empty for all.
	Syscalls []string `mapstructure:"syscalls"`
	// Executables are those whose processes are looked at; empty for all.
	Executables []program.Executable `mapstructure:"executables"`
	// Containers are the ids of those whose processes are looked at, or how the ids begin; empty for all processes.
	Containers []string `mapstructure:"containers"`
	// Threshold is from which duration on a call is an event.
	Threshold time.Duration `mapstructure:"threshold"`
	// Waiting is whether calls that wait by their nature are events, too.
	Waiting bool `mapstructure:"waiting"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	limit := defaultEventLimit
	return &Config{
		CommonConfig: program.CommonConfig{Events: true, EventLimit: &limit},
		Threshold:    defaultThreshold,
	}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	errs := []error{c.CommonConfig.Validate()}
	for i, name := range c.Syscalls {
		errs = append(errs, at("syscalls", i, errors.Join(checkCall(name), checkOnce(c.Syscalls, i))))
	}
	for i, name := range c.Executables {
		errs = append(errs, at("executables", i, errors.Join(name.Validate(), checkOnce(c.Executables, i))))
	}
	for i, id := range c.Containers {
		errs = append(errs, at("containers", i, errors.Join(checkContainer(id), checkOnce(c.Containers, i))))
	}
	if len(c.Containers) > maxContainers {
		errs = append(errs, fmt.Errorf("containers: %d are listed; list at most %d, or leave the key out for all processes",
			len(c.Containers), maxContainers))
	}
	return errors.Join(append(errs, program.CheckThreshold(c.Threshold, minThreshold, maxThreshold, defaultThreshold))...)
}

// at says of which element of a list an error is.
func at(key string, i int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s::%d: %w", key, i, err)
}

func checkOnce[S ~string](list []S, i int) error {
	if slices.Index(list, list[i]) < i {
		return fmt.Errorf("%q is listed twice", string(list[i]))
	}
	return nil
}

func checkCall(name string) error {
	switch {
	case slices.Contains(noreturn, name):
		return fmt.Errorf("%q does not return, so that there is nothing to tell of it; program process tells how processes end", name)
	case !isCall(name):
		return fmt.Errorf("%q is no system call of Linux; the nearest is %q, and `man 2 syscalls` lists all", name, nearest(name))
	}
	return nil
}

func checkContainer(id string) error {
	if len(id) < minContainerID || len(id) > maxContainerID || strings.Trim(id, "0123456789abcdef") != "" {
		return fmt.Errorf("%q is not the id of a container; write it, or at least its first %d hexadecimal digits, as container.id has it", id, minContainerID)
	}
	return nil
}
