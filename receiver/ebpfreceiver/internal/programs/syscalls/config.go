// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package syscalls is the program `syscall`: the duration of system calls, their failures, and slow ones.
package syscalls

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

const (
	// defaultEventLimit limits the events when all processes wait for a slow disk. Its metrics have no limit.
	defaultEventLimit = 100

	// maxContainers bounds the list of containers.
	maxContainers = 16
)

// threshold has a higher bound than that of other programs: some calls wait for a day.
var threshold = program.Range[time.Duration]{Least: time.Microsecond, Most: 24 * time.Hour, Default: 100 * time.Millisecond}

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "syscall",
	Purpose: "How long system calls take, how they fail, and which are slow.",
	Settings: map[string]program.Setting{
		"syscalls": {
			Unit:    "list of names, as in `man 2 syscalls`",
			Meaning: "Only these system calls are observed, in metrics and events; empty means all. A call that the architecture lacks is ignored.",
			Schema:  program.Schema{"uniqueItems": true, "items": program.Schema{"pattern": "^[a-z0-9_]+$"}},
		},
		"executables": {
			Unit:    "list of names, at most 47 bytes each",
			Meaning: "Only processes of these executables are observed, by the base names of their files; empty means all.",
			Schema:  program.Schema{"uniqueItems": true, "items": program.ExecutableSchema},
		},
		"containers": {
			Unit:    fmt.Sprintf("list of at most %d container ids, or their first %d digits and more", maxContainers, program.MinContainerID),
			Meaning: "Only processes in these containers are observed; empty means all processes. A container that starts later, or again, is observed from its first system call on.",
			Schema: program.Schema{
				"maxItems": maxContainers, "uniqueItems": true,
				"items": program.ContainerIDSchema,
			},
		},
		"threshold": {
			Unit: program.UnitDuration, Range: threshold,
			Meaning: "The shortest duration of a system call that is an event.",
		},
		"detail": {
			Meaning: "Which series the metrics have. `host`: one per call and error. `container`: these for each container. `full`: with the buckets of the histogram as well, which are tens of thousands of series on a host with many containers. `auto`: `full` if `syscalls`, `executables` or `containers` select some calls, otherwise `host`. Without buckets `ebpf.syscall.duration` has the number of calls and the sum of their durations.",
			Schema:  program.Schema{"enum": program.Strings(details...)},
		},
		"waiting": {
			Meaning: "Whether system calls that wait by design are events too, when they take long. They wait for time, locks, processes and peers: `nanosleep`, `futex`, `flock`, `wait4`, `vfork`, `epoll_wait`, `connect`, `recvfrom`, `io_uring_enter` and the like, `fcntl` for a lock, the open of a FIFO, and `read`, `write` and `ioctl` on anything but files, directories and disks.",
		},
	},
	Example:       "{executables: [postgres], threshold: 10ms}",
	Problems:      problems,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

// Config is the configuration block `programs::syscall`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Syscalls are the names of the observed system calls; empty means all.
	Syscalls []string `mapstructure:"syscalls"`
	// Executables are the executables whose processes are observed; empty means all.
	Executables []program.Executable `mapstructure:"executables"`
	// Containers are ids, or beginnings of ids, of the containers whose processes are observed; empty means all
	// processes.
	Containers []program.ContainerID `mapstructure:"containers"`
	// Threshold is the shortest duration of a call that is an event.
	Threshold time.Duration `mapstructure:"threshold"`
	// Detail is which series the metrics have.
	Detail string `mapstructure:"detail"`
	// Waiting enables events of calls that wait by design.
	Waiting bool `mapstructure:"waiting"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{CommonConfig: program.Limited(defaultEventLimit), Threshold: threshold.Default, Detail: detailAuto}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	errs := []error{c.CommonConfig.Validate(), c.checkDetail()}
	for i, name := range c.Syscalls {
		errs = append(errs, at("syscalls", i, errors.Join(checkCall(name), checkOnce(c.Syscalls, i))))
	}
	for i, name := range c.Executables {
		errs = append(errs, at("executables", i, errors.Join(name.Validate(), checkOnce(c.Executables, i))))
	}
	for i, id := range c.Containers {
		errs = append(errs, at("containers", i, errors.Join(id.Validate(), checkOnce(c.Containers, i))))
	}
	if len(c.Containers) > maxContainers {
		errs = append(errs, fmt.Errorf("containers: %d are listed; list at most %d, or leave the key out for all processes",
			len(c.Containers), maxContainers))
	}
	return errors.Join(append(errs, threshold.CheckEvents("threshold", c.Threshold, "events"))...)
}

// at adds the key and the index of the element to an error.
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
		return fmt.Errorf("%q does not return, so it has neither duration nor result; program process reports how processes end", name)
	case !isCall(name):
		return fmt.Errorf("%q is not a system call of Linux; the nearest is %q, and `man 2 syscalls` lists all", name, nearest(name))
	}
	return nil
}
