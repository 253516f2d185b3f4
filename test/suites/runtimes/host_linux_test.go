// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

const (
	// patience is the limit for a start, a stop or an event.
	patience = 30 * time.Second
	// userID is the id of an ordinary user who runs containers. The user exists in the test's namespaces only.
	userID = 23456
)

// host is where the runtimes are: network and mount namespaces with the host's processes and cgroups. What runtimes write to
// /run, /etc and /var/lib goes with the namespaces.
type host struct {
	t      *testing.T
	holder *exec.Cmd
	// dir has the files of the test, shared those that containers mount. guest is the program in the containers.
	dir, shared, guest string
	// cgroups are those of all hierarchies before the test.
	cgroups map[string]bool
}

// setup makes the namespace's mounts, and then waits for its end.
const setup = `set -eu
"$1" loopback
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/user/$3
chown $3 /run/user/$3
for d in etc var/lib; do
	mkdir -p /run/over/$d/upper /run/over/$d/work
	mount -t overlay overlay -o lowerdir=/$d,upperdir=/run/over/$d/upper,workdir=/run/over/$d/work /$d
done
echo "guest:x:$3:$3::$2/home:/bin/sh" >>/etc/passwd
echo "guest:x:$3:" >>/etc/group
echo "guest:2000000:65536" >>/etc/subuid
echo "guest:2000000:65536" >>/etc/subgid
echo ready
exec sleep infinity
`

// containersConf avoids what not every host supports: Debian's crun refuses hosts with both versions of cgroups, and root may lack the
// right to raise limits.
const containersConf = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
`

func newHost(t *testing.T) *host {
	t.Helper()
	testenv.RequireKernel(t)
	for _, tool := range []string{"podman", "runc", "dockerd", "docker", "containerd", "ctr", "buildah", "unshare", "nsenter", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			testenv.Missing(t, "it needs Debian's podman, runc, docker.io, containerd and buildah: "+err.Error())
		}
	}
	// The path is short enough for sockets, and the ordinary user can reach it.
	dir, err := os.MkdirTemp("", "runtimes-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	h := &host{t: t, dir: dir, shared: filepath.Join(dir, "shared"), guest: filepath.Join(dir, "guest"), cgroups: cgroups()}
	t.Cleanup(h.remove)
	for _, d := range []string{h.shared, filepath.Join(dir, "home")} {
		require.NoError(t, os.Mkdir(d, 0o755))
	}
	require.NoError(t, os.Chmod(h.shared, 0o777))
	require.NoError(t, os.Chown(filepath.Join(dir, "home"), userID, userID))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "containers.conf"), []byte(containersConf), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(h.shared, "alive"), nil, 0o644))
	// Docker's and podman's file with the user's registries.
	h.write(filepath.Join(dir, "config.json"), "{}")
	buildGuest(t, h.guest)
	h.enter()
	return h
}

// buildGuest builds the program in the containers, which needs nothing else there.
func buildGuest(t *testing.T, path string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "./guest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))
}

// enter makes the namespaces.
func (h *host) enter() {
	h.holder = exec.Command("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", setup,
		"setup", h.guest, h.dir, strconv.Itoa(userID))
	h.holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// Use a file: with a buffer, Wait would wait for as long as the namespaces are held.
	log, err := os.Create(filepath.Join(h.dir, "holder.log"))
	require.NoError(h.t, err)
	h.holder.Stderr = log
	out, err := h.holder.StdoutPipe()
	require.NoError(h.t, err)
	require.NoError(h.t, h.holder.Start())
	require.NoError(h.t, log.Close())
	text := make([]byte, len("ready\n"))
	if _, err = io.ReadFull(out, text); err != nil {
		messages, _ := os.ReadFile(log.Name())
		require.NoError(h.t, err, string(messages))
	}
}

// command returns a command that runs in the namespaces.
func (h *host) command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{
		"--target", strconv.Itoa(h.holder.Process.Pid), "--net", "--mount", "--wd=" + h.dir, "--",
	}, args...)...)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+filepath.Join(h.dir, "containers.conf"), "DOCKER_CONFIG="+h.dir)
	return cmd
}

// run runs a command in the namespaces and returns its standard output without the last line break.
func (h *host) run(args ...string) (string, error) {
	cmd := h.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// daemon starts a program that runs as long as the test, and waits until a probe succeeds.
func (h *host) daemon(probe []string, args ...string) {
	h.t.Helper()
	log := filepath.Join(h.dir, filepath.Base(args[0])+".log")
	file, err := os.Create(log)
	require.NoError(h.t, err)
	cmd := h.command(args...)
	cmd.Stdout, cmd.Stderr = file, file
	require.NoError(h.t, cmd.Start())
	require.NoError(h.t, file.Close())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	h.t.Cleanup(func() {
		// nsenter has become the daemon.
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	deadline := time.Now().Add(patience)
	for {
		_, err := h.run(probe...)
		if err == nil {
			return
		}
		select {
		case end := <-ended:
			ended <- end
			deadline = time.Time{}
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log)
			require.NoError(h.t, err, "%s does not start:\n%s", args[0], text)
		}
	}
}

// remove ends what is left in the namespaces and removes what was made on the host.
func (h *host) remove() {
	if h.holder != nil && h.holder.Process != nil {
		assert.Eventually(h.t, func() bool {
			others := slices.DeleteFunc(h.members(), func(pid int) bool { return pid == h.holder.Process.Pid })
			for _, pid := range others {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			return len(others) == 0
		}, patience, 20*time.Millisecond, "processes are left")
		_ = h.holder.Process.Kill()
		_ = h.holder.Wait()
	}
	h.removeCgroups()
	assert.NoError(h.t, os.RemoveAll(h.dir))
}

// members returns the processes in the namespace of mounts or in that of the network, but not those in namespaces below both.
func (h *host) members() (pids []int) {
	own := map[string]bool{}
	for _, kind := range []string{"mnt", "net"} {
		if space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", h.holder.Process.Pid, kind)); err == nil {
			own[space] = true
		}
	}
	links, _ := filepath.Glob("/proc/[0-9]*/ns/[mn]*t")
	for _, link := range links {
		if space, err := os.Readlink(link); err == nil && own[space] {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

// cgroups returns the cgroups of all hierarchies.
func cgroups() map[string]bool {
	found := map[string]bool{}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			found[path] = true
		}
		return nil
	})
	return found
}

// removeCgroups removes the cgroups that runtimes have made above those of their containers.
func (h *host) removeCgroups() {
	for _, name := range madeByRuntimes {
		paths, _ := filepath.Glob("/sys/fs/cgroup/" + name)
		more, _ := filepath.Glob("/sys/fs/cgroup/*/" + name)
		for _, path := range append(paths, more...) {
			if h.cgroups[path] {
				continue
			}
			var below []string
			_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					below = append(below, p)
				}
				return nil
			})
			for _, p := range slices.Backward(below) {
				h.removeCgroup(p)
			}
		}
	}
}

// removeCgroup removes a cgroup, and ends the processes that are left in it.
func (h *host) removeCgroup(path string) {
	assert.Eventually(h.t, func() bool {
		text, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for pid := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(pid); err == nil && n > 0 {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
		err := os.Remove(path)
		return err == nil || errors.Is(err, fs.ErrNotExist)
	}, patience, 20*time.Millisecond, "the cgroup %s is left", path)
}

func (h *host) write(path, text string) {
	h.t.Helper()
	require.NoError(h.t, os.WriteFile(path, []byte(text), 0o644))
}
