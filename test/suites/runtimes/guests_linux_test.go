// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// madeByRuntimes are the cgroups that the runtimes make above those of their containers.
var madeByRuntimes = []string{"libpod_parent", "docker", "default", "team", "conmon"}

const memoryLimit = "24m"

// guest is a container with the test's program in it.
type guest struct {
	// name is its name for the runtime.
	name string
	// what is the program's first argument: serve or greedy.
	what string
	// options are the runtime's own options for it.
	options []string
	// rootless means that the runtime may be unable to make a cgroup for it.
	rootless bool

	// id and pid are the runtime's id of the container, and the id of its process in the host.
	id  string
	pid int
	// cgroup is its cgroup as /proc/PID/cgroup has it: "0::/…".
	cgroup string
	// host is where it runs. The checks use t and results.
	host    *host
	t       *testing.T
	results *results
}

// engine is a container runtime with its command.
type engine interface {
	// load gives it the image with the guest.
	load() error
	// start starts a container and returns its id and the id of its process.
	start(g *guest) (id string, pid int, err error)
	// exec runs one more program in a container.
	exec(g *guest, args ...string) error
	// remove ends and removes all containers.
	remove() error
}

// start starts a guest and reads its cgroup.
func (g *guest) start(h *host, e engine) (err error) {
	g.host = h
	if g.id, g.pid, err = e.start(g); err != nil {
		return fmt.Errorf("start %s: %w", g.name, err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", g.pid))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "0::") {
			g.cgroup = strings.TrimSpace(line)
		}
	}
	return nil
}

// unseen reports whether its cgroup does not show that it is a container, so that it looks like a process of the host.
func (g *guest) unseen() bool { return g.rootless && !strings.Contains(g.cgroup, g.id) }

// goOn makes the guest begin its work.
func (g *guest) goOn() error {
	return os.WriteFile(filepath.Join(g.host.shared, g.name+".go"), nil, 0o644)
}

// done returns what a guest, or a program that was executed in it, has done.
type done struct {
	PID, Child, Refused, DropPort, Drops int
}

// await waits for the file of a guest and returns its content.
func (h *host) await(name string) (d done, err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(h.shared, name+".json"))
		if err == nil {
			return d, json.Unmarshal(text, &d)
		}
	}
	return d, fmt.Errorf("%s has not done its work within %s", name, patience)
}
