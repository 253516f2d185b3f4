// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Cgroup is a version 2 control group of one test.
type Cgroup struct {
	// Path is the group's path below the hierarchy's root, as /proc/PID/cgroup shows it after "0::".
	Path string
	// ContainerID and PodUID are what a container runtime would have named it after; empty for an ordinary group.
	ContainerID, PodUID string

	dir *os.File
}

// FD is a descriptor of the group's directory.
func (c *Cgroup) FD() int { return int(c.dir.Fd()) }

// NewContainer makes a cgroup named as containerd names the cgroup of a Kubernetes container under systemd, and
// removes it at the end of the test. Its names are new each time.
func NewContainer(t testing.TB) *Cgroup {
	t.Helper()
	container, pod := NewContainerID(t), randomHex(t, 16)
	uid := strings.Join([]string{pod[:8], pod[8:12], pod[12:16], pod[16:20], pod[20:]}, "-")
	slice := "kubepods-burstable-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice"
	c := NewCgroupAt(t, "/kubepods.slice/kubepods-burstable.slice/"+slice+"/cri-containerd-"+container+".scope")
	c.ContainerID, c.PodUID = container, uid
	return c
}

// NewContainerID returns an id as container runtimes give them out, a new one each time.
func NewContainerID(t testing.TB) string {
	t.Helper()
	return randomHex(t, 32)
}

// NewCgroup makes an ordinary cgroup that no container runtime would have made.
func NewCgroup(t testing.TB) *Cgroup {
	t.Helper()
	return NewCgroupAt(t, "/kernel-test-"+randomHex(t, 8)+".slice")
}

// tree keeps one test from removing the parents that another is just making its group below.
var tree sync.Mutex

// NewCgroupAt makes a cgroup at a path below the hierarchy's root, and removes it at the end of the test.
func NewCgroupAt(t testing.TB, path string) *Cgroup {
	t.Helper()
	root := CgroupRoot(t)
	full := filepath.Join(root, path)
	tree.Lock()
	defer tree.Unlock()
	require.NoError(t, os.MkdirAll(full, 0o755), "making a cgroup")
	dir, err := os.Open(full)
	require.NoError(t, err)
	c := &Cgroup{Path: path, dir: dir}
	t.Cleanup(func() {
		_ = dir.Close()
		tree.Lock()
		defer tree.Unlock()
		// The parents go too as far as they are empty; another test's groups keep them.
		for at := full; at != root; at = filepath.Dir(at) {
			if err := unix.Rmdir(at); err != nil && !errors.Is(err, unix.ENOENT) {
				return
			}
		}
	})
	return c
}

// Nested makes a group inside of this one. A group with processes of its own can have such as long as no controller is
// switched on for it.
func (c *Cgroup) Nested(t testing.TB, name string) *Cgroup {
	t.Helper()
	return NewCgroupAt(t, filepath.Join(c.Path, name))
}

// Take moves a process into the group, with all its threads.
func (c *Cgroup) Take(t testing.TB, pid int) {
	t.Helper()
	procs := filepath.Join(CgroupRoot(t), c.Path, "cgroup.procs")
	require.NoError(t, os.WriteFile(procs, []byte(strconv.Itoa(pid)), 0o600), "moving a process")
}

// Remove removes the group at once. Its processes must have ended.
func (c *Cgroup) Remove(t testing.TB) {
	t.Helper()
	require.NoError(t, unix.Rmdir(filepath.Join(CgroupRoot(t), c.Path)), "removing the cgroup")
}

// CgroupRoot is where the version 2 hierarchy is mounted.
func CgroupRoot(t testing.TB) string {
	t.Helper()
	at, err := mountPoint("cgroup2")
	require.NoError(t, err)
	if at == "" {
		Skip(t, "no cgroup version 2 hierarchy is mounted")
	}
	return at
}

func randomHex(t testing.TB, bytes int) string {
	t.Helper()
	b := make([]byte, bytes)
	_, err := rand.Read(b)
	require.NoError(t, err)
	return hex.EncodeToString(b)
}
