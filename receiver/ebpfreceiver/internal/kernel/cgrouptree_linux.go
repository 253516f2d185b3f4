// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// kernfsHandle is FILEID_KERNFS: the type of a file handle that consists of the id of a cgroup.
const kernfsHandle = 0xfe

// OpenContainers returns the containers of this machine. It knows all cgroups that exist at the call; report later ones
// with Add. If the cgroup2 hierarchy is not mounted, the error says how to mount it. Close it after use.
func OpenContainers(kept ContainerFields) (*Containers, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("looking for the cgroup2 mount: %w", err)
	}
	var tree *mountedTree
	for _, m := range mountsOf(parseMountinfo(string(mounts)), "cgroup2") {
		candidate, err := openMountedTree(m)
		if err != nil {
			continue
		}
		// In a cgroup namespace, a mount of a part of the hierarchy looks like the whole, and the whole looks like a
		// parent directory.
		if tree == nil || candidate.whole && !tree.whole {
			tree, candidate = candidate, tree
		}
		if candidate != nil {
			_ = candidate.close()
		}
	}
	if tree == nil {
		return nil, errNoCgroup2
	}
	return openContainers(tree, tree.point, kept)
}

// mountedTree is a mount of the cgroup2 file system.
type mountedTree struct {
	dir *os.File
	// point is the mount point. root is the path in the hierarchy that is visible there, "" for the root.
	point, root string
	// whole reports that the root of the hierarchy is visible there.
	whole bool
}

var _ cgroupTree = (*mountedTree)(nil)

func openMountedTree(m mount) (*mountedTree, error) {
	dir, err := os.Open(m.point)
	if err != nil {
		return nil, err
	}
	var stat unix.Statfs_t
	if err = unix.Fstatfs(int(dir.Fd()), &stat); err == nil && stat.Type != unix.CGROUP2_SUPER_MAGIC {
		err = fmt.Errorf("something else is mounted over the cgroup2 hierarchy at %s", m.point)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	root := strings.TrimSuffix(m.root, "/")
	number, err := inode(m.point)
	whole := err == nil && number == rootInode
	if whole || strings.HasPrefix(root, "/..") {
		// The cgroup namespace is beside or below the mount. Where in the hierarchy the mount is cannot be found out.
		root = ""
	}
	return &mountedTree{dir: dir, point: strings.TrimSuffix(m.point, "/"), root: root, whole: whole}, nil
}

// path opens a cgroup by its id and reads the path of the descriptor. This needs CAP_DAC_READ_SEARCH.
func (t *mountedTree) path(id uint64) (string, error) {
	handle := unix.NewFileHandle(kernfsHandle, binary.NativeEndian.AppendUint64(nil, id))
	fd, err := unix.OpenByHandleAt(int(t.dir.Fd()), handle, unix.O_PATH|unix.O_CLOEXEC)
	switch {
	case errors.Is(err, unix.ESTALE), errors.Is(err, unix.ENOENT):
		return "", errCgroupGone
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.EOPNOTSUPP),
		errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
		return "", errNoHandles
	case err != nil:
		return "", fmt.Errorf("open cgroup %d by its id: %w", id, err)
	}
	defer unix.Close(fd)
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", fmt.Errorf("path of cgroup %d: %w", id, err)
	}
	if below, ok := strings.CutPrefix(path, t.point); ok && (below == "" || below[0] == '/') {
		path = t.root + below
	}
	// The cgroup may have been removed just now.
	return "/" + strings.TrimPrefix(strings.TrimSuffix(path, " (deleted)"), "/"), nil
}

// runs looks at the parent of the first process, which containerd's shim is until the container ends.
func (t *mountedTree) runs(path string) bool {
	below, ok := strings.CutPrefix(path, t.root)
	if !ok {
		return false
	}
	processes, err := os.ReadFile(filepath.Join(t.point, below, "cgroup.procs"))
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(string(processes), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parentOf(pid)))
	return err == nil && strings.HasPrefix(string(comm), "containerd-shim")
}

// parentOf returns the id of a process's parent, 0 if unknown.
func parentOf(pid int) (parent int) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// "pid (comm) state parent …", and the comm may have parentheses.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return parent
}

func (t *mountedTree) walk(limit int, visit func(id uint64, path string)) error {
	visited := 0
	for queue := []string{""}; len(queue) > 0 && visited < limit; queue = queue[1:] {
		path := queue[0]
		info, err := os.Lstat(t.point + path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("walking the cgroups: %w", err)
		}
		visit(info.Sys().(*syscall.Stat_t).Ino, filepath.Join("/", t.root, path))
		visited++
		children, err := os.ReadDir(t.point + path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("walking the cgroups: %w", err)
		}
		for _, child := range children {
			if child.IsDir() {
				queue = append(queue, path+"/"+child.Name())
			}
		}
	}
	return nil
}

func (t *mountedTree) close() error { return t.dir.Close() }
