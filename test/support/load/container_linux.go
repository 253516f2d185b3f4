// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Container is a cgroup named as a container runtime names those of its containers. Work that is done in it has metrics
// of its own, which no other traffic of the host is in.
type Container struct {
	// ID is what ebpf's container.id says.
	ID string

	path string
	dir  *os.File
}

// NewContainer makes a container's cgroup.
func NewContainer() (*Container, error) {
	root, err := cgroup2()
	if err != nil {
		return nil, err
	}
	var id [32]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	c := &Container{ID: hex.EncodeToString(id[:])}
	c.path = filepath.Join(root, "docker-"+c.ID+".scope")
	if err := os.Mkdir(c.path, 0o755); err != nil {
		return nil, fmt.Errorf("make a cgroup: %w", err)
	}
	if c.dir, err = os.Open(c.path); err != nil {
		return nil, errors.Join(err, unix.Rmdir(c.path))
	}
	return c, nil
}

// Close removes the cgroup, in which no process may be left.
func (c *Container) Close() error {
	return errors.Join(c.dir.Close(), unix.Rmdir(c.path))
}

// FD is a descriptor of the cgroup, for processes to be started in it.
func (c *Container) FD() int { return int(c.dir.Fd()) }

// cgroup2 returns where the cgroup2 hierarchy is mounted.
func cgroup2() (string, error) {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	defer func() { _ = mounts.Close() }()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", errors.New("no cgroup2 hierarchy is mounted")
}
