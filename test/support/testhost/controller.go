// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// controlled is a cgroup with a limit.
type controlled struct {
	dir string
	// made says that the cgroup was made for the limit.
	made bool
	// v1 says that the controller is in a version 1 hierarchy.
	v1 bool
}

// openControlled enables a controller for the cgroup at a path below the root of the cgroup2 hierarchy, and creates the
// cgroup if it does not exist. If the controller is in a version 1 hierarchy, where it may have another name, it creates a
// cgroup there.
func openControlled(path, controller, nameV1 string) (c controlled, err error) {
	root, err := cgroupRoot()
	if err != nil {
		return c, err
	}
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return c, err
	}
	if !strings.Contains(" "+strings.TrimSpace(string(controllers))+" ", " "+controller+" ") {
		return openControlledV1(path, controller, nameV1)
	}
	c.dir = root
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if err := write(filepath.Join(c.dir, "cgroup.subtree_control"), "+"+controller); err != nil {
			return c, err
		}
		c.dir = filepath.Join(c.dir, name)
		err := os.Mkdir(c.dir, 0o755)
		if err != nil && !errors.Is(err, os.ErrExist) {
			return c, err
		}
		c.made = err == nil
	}
	return c, nil
}

func openControlledV1(path, controller, name string) (controlled, error) {
	root := filepath.Join("/sys/fs/cgroup", name)
	if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
		return controlled{}, fmt.Errorf("there is no controller %s, neither of cgroup version 2 nor at %s", controller, root)
	}
	dir := filepath.Join(root, strings.ReplaceAll(strings.Trim(path, "/"), "/", "-"))
	return controlled{dir: dir, made: true, v1: true}, os.Mkdir(dir, 0o755)
}

// add moves a process into the cgroup.
func (c controlled) add(pid int) error { return addProcess(c.dir, pid) }

// close removes the cgroup if it was made for the limit. All its processes must have ended.
func (c controlled) close() error {
	if !c.made {
		return nil
	}
	return unix.Rmdir(c.dir)
}

func write(path, text string) error { return os.WriteFile(path, []byte(text), 0) }
