// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// root is a copy of this machine's root, for one test.
type root string

// calls is the file with the calls of systemd's commands.
const calls = "/run/calls"

// Stubs of systemd's commands. The service is active if /run/active exists. A restart has no process. systemd-run runs its command.
const (
	systemctl = `#!/bin/sh
echo "systemctl $*" >>` + calls + `
case "$*" in *is-active*) [ -e /run/active ] ;; esac
`
	systemdRun = `#!/bin/sh
echo "systemd-run $*" >>` + calls + `
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
`
)

// newRoot makes an overlay over this machine's root.
func newRoot(t *testing.T) root {
	t.Helper()
	if os.Geteuid() != 0 {
		testenv.Missing(t, "mounting needs root")
	}
	// Not t.TempDir: its removal would delete the files of a mount that could not be unmounted.
	dir := must(os.MkdirTemp("", "root"))(t)
	mount := func(source, target, kind string, flags uintptr, data string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(target, 0o755))
		require.NoError(t, unix.Mount(source, target, kind, flags, data), "mount %s at %s", kind+source, target)
	}
	// An upper folder below the lower one is refused.
	mount("none", dir, "tmpfs", 0, "mode=0755")
	t.Cleanup(func() {
		assert.NoError(t, unix.Unmount(dir, unix.MNT_DETACH))
		assert.NoError(t, os.Remove(dir))
	})
	for _, name := range []string{"upper", "work"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	r := root(filepath.Join(dir, "root"))
	mount("overlay", string(r), "overlay", 0, "lowerdir=/,upperdir="+dir+"/upper,workdir="+dir+"/work")
	// These folders are the machine's own. Nothing in the root may change them.
	for _, name := range []string{"/proc", "/sys"} {
		mount(name, r.path(name), "", unix.MS_BIND|unix.MS_REC, "")
		require.NoError(t, unix.MountSetattr(unix.AT_FDCWD, r.path(name), unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}))
	}
	for _, name := range []string{"/run", "/tmp", "/dev"} {
		mount("none", r.path(name), "tmpfs", 0, "mode=0755")
	}
	for name, minor := range map[string]int{"null": 3, "zero": 5, "random": 8, "urandom": 9} {
		path := r.path("/dev/" + name)
		require.NoError(t, unix.Mknod(path, unix.S_IFCHR, int(unix.Mkdev(1, uint32(minor)))))
		require.NoError(t, os.Chmod(path, 0o666))
	}
	mount(work, r.path("/mnt"), "", unix.MS_BIND, "")

	// Files that a collector on this machine has left, such as that of `make run`.
	for _, path := range append(folders, "/etc/otelcol-ebpf") {
		require.NoError(t, os.RemoveAll(r.path(path)))
	}
	require.NoError(t, os.MkdirAll(r.path("/run/systemd/system"), 0o755))
	for name, text := range map[string]string{"systemctl": systemctl, "systemd-run": systemdRun} {
		path := r.path("/usr/bin/" + name)
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			require.NoError(t, err)
		}
		require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	}
	return r
}

func (r root) path(path string) string { return filepath.Join(string(r), path) }

// command returns a command that runs in the root.
func (r root) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/usr/bin/"+name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: string(r)}
	return cmd
}

func (r root) run(t *testing.T, name string, args ...string) (output string) {
	t.Helper()
	text, err := r.command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), text)
	return string(text)
}

func (r root) read(t *testing.T, path string) string {
	t.Helper()
	return string(must(os.ReadFile(r.path(path)))(t))
}

func (r root) write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(r.path(path), []byte(text), 0o600))
}

// exists reports whether a path exists, even as a dangling link.
func (r root) exists(path string) bool {
	_, err := os.Lstat(r.path(path))
	return err == nil
}

// called returns the calls of systemd's commands since the last time.
func (r root) called(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(r.path(calls))
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
		require.NoError(t, os.Remove(r.path(calls)))
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// setActive makes the stubs report the service as active or not.
func (r root) setActive(t *testing.T, active bool) {
	t.Helper()
	if active {
		r.write(t, "/run/active", "")
	} else {
		require.NoError(t, os.Remove(r.path("/run/active")))
	}
}

// The calls that the scripts of both formats make.
var (
	toldOnly  = []string{"systemctl daemon-reload"}
	looked    = append(toldOnly, "systemctl --quiet is-active otelcol-ebpf.service")
	validated = append(looked, "systemd-run --quiet --collect --property=Type=oneshot "+
		"--property=EnvironmentFile=-/etc/otelcol-ebpf/environment -- /usr/bin/otelcol-ebpf validate --config=/etc/otelcol-ebpf/config.yaml")
	restarted = append(validated, "systemctl restart otelcol-ebpf.service")
	stopped   = []string{"systemctl --quiet disable --now otelcol-ebpf.service", "systemctl daemon-reload"}
)

// checkInstalled checks the files of a package and their permissions.
func (r root) checkInstalled(t *testing.T) {
	t.Helper()
	for path, mode := range map[string]fs.FileMode{
		"/usr/bin/otelcol-ebpf":                          0o755,
		"/usr/lib/systemd/system/otelcol-ebpf.service":   0o644,
		"/etc/otelcol-ebpf":                              0o755 | fs.ModeDir,
		"/etc/otelcol-ebpf/config.yaml":                  0o644,
		"/etc/otelcol-ebpf/environment":                  0o600,
		"/usr/share/doc/otelcol-ebpf/copyright":          0o644,
		"/usr/share/doc/otelcol-ebpf/NOTICE":             0o644,
		"/usr/share/doc/otelcol-ebpf/examples/otlp.yaml": 0o644,
	} {
		info := must(os.Lstat(r.path(path)))(t)
		assert.Equal(t, mode, info.Mode(), path)
		stat, _ := info.Sys().(*syscall.Stat_t)
		assert.Zero(t, stat.Uid+stat.Gid, path)
	}
	for installed, committed := range map[string]string{
		"/usr/lib/systemd/system/otelcol-ebpf.service": "deploy/otelcol-ebpf.service",
		"/etc/otelcol-ebpf/config.yaml":                "config.yaml",
	} {
		assert.Equal(t, string(must(os.ReadFile(testenv.Repository(t, committed)))(t)), r.read(t, installed))
	}
}

// checkRemoved checks that no file of the package is left in some folders.
func (r root) checkRemoved(t *testing.T, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		require.NoError(t, filepath.WalkDir(r.path(folder), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && strings.Contains(entry.Name(), "otelcol-ebpf") {
				assert.Fail(t, "left behind", path)
			}
			return err
		}))
	}
}
