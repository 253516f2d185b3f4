// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// Cgroup is a version 2 control group.
type Cgroup struct {
	// Path is the group's path below the root of the hierarchy, as in /proc/PID/cgroup after "0::".
	Path string
	// ContainerID and PodUID are the ids in the cgroup's name; empty for an ordinary group.
	ContainerID, PodUID string

	root string
	dir  *os.File
}

// tree keeps a test from removing parents while another test creates its group below them.
var tree sync.Mutex

// makeCgroup makes a cgroup at a path below the root of the hierarchy, and its parents.
func makeCgroup(path string) (*Cgroup, error) {
	root, err := cgroupRoot()
	if err != nil {
		return nil, err
	}
	c := &Cgroup{Path: path, root: root}
	tree.Lock()
	defer tree.Unlock()
	if err := os.MkdirAll(c.directory(), 0o755); err != nil {
		return nil, fmt.Errorf("make a cgroup: %w", err)
	}
	if c.dir, err = os.Open(c.directory()); err != nil {
		return nil, errors.Join(err, unix.Rmdir(c.directory()))
	}
	return c, nil
}

// MakeContainer makes a cgroup with the name that Docker gives to a container under systemd. The id is random.
func MakeContainer() (*Cgroup, error) {
	id, err := randomHex(containerBytes)
	if err != nil {
		return nil, err
	}
	c, err := makeCgroup("/docker-" + id + ".scope")
	if err != nil {
		return nil, err
	}
	c.ContainerID = id
	return c, nil
}

// Close removes the cgroup. All its processes must have ended.
func (c *Cgroup) Close() error { return errors.Join(c.dir.Close(), unix.Rmdir(c.directory())) }

func (c *Cgroup) directory() string { return filepath.Join(c.root, c.Path) }

// FD is a descriptor of the cgroup's directory, to start processes in it.
func (c *Cgroup) FD() int { return int(c.dir.Fd()) }

// NewDockerContainer is MakeContainer for a test.
func NewDockerContainer(t testing.TB) *Cgroup {
	t.Helper()
	c, err := MakeContainer()
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	t.Cleanup(func() { require.NoError(t, c.Close(), "removing a cgroup") })
	return c
}

// NewContainer makes a cgroup with the name that containerd gives to a Kubernetes container under systemd. The ids are
// random.
func NewContainer(t testing.TB) *Cgroup {
	t.Helper()
	container, pod := NewContainerID(t), newHex(t, 16)
	uid := strings.Join([]string{pod[:8], pod[8:12], pod[12:16], pod[16:20], pod[20:]}, "-")
	slice := "kubepods-burstable-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice"
	c := NewCgroupAt(t, "/kubepods.slice/kubepods-burstable.slice/"+slice+"/cri-containerd-"+container+".scope")
	c.ContainerID, c.PodUID = container, uid
	return c
}

// containerBytes is the size of a container id in bytes.
const containerBytes = 32

// NewContainerID returns a random container id.
func NewContainerID(t testing.TB) string {
	t.Helper()
	return newHex(t, containerBytes)
}

// NewCgroup makes a cgroup that is not named like a container.
func NewCgroup(t testing.TB) *Cgroup {
	t.Helper()
	return NewCgroupAt(t, "/kernel-test-"+newHex(t, 8)+".slice")
}

// NewCgroupAt makes a cgroup at a path below the root of the hierarchy.
func NewCgroupAt(t testing.TB, path string) *Cgroup {
	t.Helper()
	CgroupRoot(t)
	c, err := makeCgroup(path)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.dir.Close()
		tree.Lock()
		defer tree.Unlock()
		// Remove empty parents too. Groups of other tests may still be below them.
		for at := c.directory(); at != c.root; at = filepath.Dir(at) {
			if err := unix.Rmdir(at); err != nil && !errors.Is(err, unix.ENOENT) {
				return
			}
		}
	})
	return c
}

// Nested makes a group below this one. A group with processes can have child groups as long as no controller is enabled for
// it.
func (c *Cgroup) Nested(t testing.TB, name string) *Cgroup {
	t.Helper()
	return NewCgroupAt(t, filepath.Join(c.Path, name))
}

// Take moves a process into the group, with all its threads.
func (c *Cgroup) Take(t testing.TB, pid int) {
	t.Helper()
	require.NoError(t, addProcess(c.directory(), pid), "moving a process")
}

// Remove removes the group now. Its processes must have ended.
func (c *Cgroup) Remove(t testing.TB) {
	t.Helper()
	require.NoError(t, unix.Rmdir(c.directory()), "removing the cgroup")
}

// CgroupRoot returns where the version 2 hierarchy is mounted.
func CgroupRoot(t testing.TB) string {
	t.Helper()
	root, err := cgroupRoot()
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	return root
}

func cgroupRoot() (string, error) {
	root, err := mountPoint("cgroup2")
	if err == nil && root == "" {
		err = errors.New("no cgroup version 2 hierarchy is mounted")
	}
	return root, err
}

// addProcess moves a process into the cgroup of a directory.
func addProcess(directory string, pid int) error {
	return write(filepath.Join(directory, "cgroup.procs"), strconv.Itoa(pid))
}

func newHex(t testing.TB, bytes int) string {
	t.Helper()
	text, err := randomHex(bytes)
	require.NoError(t, err)
	return text
}

func randomHex(bytes int) (string, error) {
	b := make([]byte, bytes)
	_, err := rand.Read(b)
	return hex.EncodeToString(b), err
}
