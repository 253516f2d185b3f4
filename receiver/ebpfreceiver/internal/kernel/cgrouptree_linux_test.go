// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// machineContainers opens the cgroup hierarchy of this machine.
func machineContainers(tb testing.TB) *Containers {
	tb.Helper()
	need(tb, os.Geteuid() == 0, "only root may make cgroups and open them by their id")
	c, err := OpenContainers(AllFields)
	need(tb, err == nil, fmt.Sprint("this machine has no cgroup2 hierarchy: ", err))
	tb.Cleanup(func() { assert.NoError(tb, c.Close()) })
	return c
}

// makeCgroup creates a cgroup below a new one of this test, with its parents, and returns its id and path.
func makeCgroup(tb testing.TB, c *Containers, below string) (id uint64, path string) {
	tb.Helper()
	top := fmt.Sprintf("/otelcol-ebpf-%d-%s", os.Getpid(), filepath.Base(tb.Name()))
	path = top + below
	tb.Cleanup(func() {
		for dir := path; len(dir) >= len(top); dir = filepath.Dir(dir) {
			_ = os.Remove(c.Mount() + dir)
		}
	})
	require.NoError(tb, os.MkdirAll(c.Mount()+path, 0o755))
	info, err := os.Stat(c.Mount() + path)
	require.NoError(tb, err)
	return info.Sys().(*syscall.Stat_t).Ino, path
}

func TestParentOf(t *testing.T) {
	assert.Equal(t, os.Getppid(), parentOf(os.Getpid()))
	assert.Zero(t, parentOf(1<<30))
	tree := &mountedTree{point: "/sys/fs/cgroup"}
	assert.False(t, tree.runs("/nowhere"))
}

func TestContainersOfTheMachine(t *testing.T) {
	c := machineContainers(t)
	before := c.Len()
	assert.NotZero(t, before, "the root at least")
	inode, path := makeCgroup(t, c, "/docker-"+id+".scope/init.scope")
	own := filepath.Dir(path)

	// A cgroup created later is opened by its id.
	container := c.Lookup(inode)
	require.NotNil(t, container)
	assert.Equal(t, Container{ID: id, CgroupPath: "0::" + own}, *container)
	assert.False(t, c.byWalk, "root may open cgroups by their id")
	assert.Equal(t, before+1, c.Len())

	// A cgroup that existed before is found by the walk.
	again, err := OpenContainers(AllFields)
	require.NoError(t, err)
	defer again.Close()
	known, ok := again.cgroups[inode]
	require.True(t, ok)
	assert.Equal(t, *container, known.container.Container)

	// A removed cgroup is in no container.
	gone, path := makeCgroup(t, c, "/docker-"+otherID+".scope")
	require.NoError(t, os.Remove(c.Mount()+path))
	assert.Nil(t, c.Lookup(gone))
	assert.True(t, c.cgroups[gone].removed)
	assert.False(t, c.byWalk)
}

func TestContainersOfTheMachineWithoutTheRightToOpen(t *testing.T) {
	c := machineContainers(t)
	inode, _ := makeCgroup(t, c, "/docker-"+id+".scope")

	done := make(chan error)
	go func() {
		// The thread cannot get the right back: it ends with the goroutine.
		runtime.LockOSThread()
		if err := dropCapability(CapDACReadSearch); err != nil {
			done <- err
			return
		}
		_, err := c.tree.path(inode)
		done <- err
	}()
	require.ErrorIs(t, <-done, errNoHandles)
}

// dropCapability takes a capability from the calling thread.
func dropCapability(capability Capability) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[capability/32].Effective &^= 1 << (capability % 32)
	return unix.Capset(&header, &data[0])
}

func TestWalkIsBounded(t *testing.T) {
	c := machineContainers(t)
	makeCgroup(t, c, "/a/b/c")
	var paths []string
	require.NoError(t, c.tree.walk(2, func(_ uint64, path string) { paths = append(paths, path) }))
	require.Len(t, paths, 2)
	assert.Equal(t, "/", paths[0])
	assert.Equal(t, "/", filepath.Dir(paths[1]), "those nearer to the root first")
}

func TestOpenMountedTree(t *testing.T) {
	_, err := openMountedTree(mount{root: "/", point: t.TempDir(), fsType: "cgroup2"})
	assert.ErrorContains(t, err, "something else is mounted")
	_, err = openMountedTree(mount{root: "/", point: filepath.Join(t.TempDir(), "missing"), fsType: "cgroup2"})
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// A container sees a part of the hierarchy, but a cgroup has its whole path.
func TestPartOfTheHierarchy(t *testing.T) {
	c := machineContainers(t)
	inode, path := makeCgroup(t, c, "/docker-"+id+".scope")
	parent := filepath.Dir(path)
	for root, want := range map[string]string{parent: path, "/../..": "/docker-" + id + ".scope"} {
		tree, err := openMountedTree(mount{root: root, point: c.Mount() + parent, fsType: "cgroup2"})
		require.NoError(t, err)
		got, err := tree.path(inode)
		require.NoError(t, err)
		assert.Equal(t, want, got, "mount of %s", root)
		found := map[uint64]string{}
		require.NoError(t, tree.walk(10, func(id uint64, path string) { found[id] = path }))
		assert.Equal(t, want, found[inode], "mount of %s", root)
		require.NoError(t, tree.close())
	}
}

func BenchmarkFindCgroup(b *testing.B) {
	c := machineContainers(b)
	inode, _ := makeCgroup(b, c, "/docker-"+id+".scope")
	for b.Loop() {
		if _, err := c.tree.path(inode); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWalkCgroups(b *testing.B) {
	c := machineContainers(b)
	for b.Loop() {
		if err := c.tree.walk(maxCgroups, func(uint64, string) {}); err != nil {
			b.Fatal(err)
		}
	}
}
