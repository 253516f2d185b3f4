// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
)

// Agent is a child process that makes traffic. Each method carries out one operation and returns the ground truth. If the
// operation cannot be carried out, it fails the test.
type Agent struct {
	Identity

	t      testing.TB
	thread string
	child  *child
}

// Identity is what an agent knows about itself.
type Identity struct {
	// PID is the process id in the initial PID namespace, UID the effective user id.
	PID, UID int
	// Executable is the base name of its executable.
	Executable string
	// Thread is the name of the main thread, which does the operations.
	Thread string
	// NetNS is the inode number of its network namespace.
	NetNS uint64
	// Cgroup is its version 2 cgroup as in /proc/PID/cgroup: "0::/path".
	Cgroup string
}

// Option changes how an agent is started.
type Option func(*start)

type start struct {
	executable, thread string
	uid                int
	cgroup             *testhost.Cgroup
	restriction        *restrict.Restriction
	pidNamespace       bool
	whole              bool
	mountNamespace     bool
}

// Named sets the base name of the agent's executable and the name of its main thread.
func Named(executable, thread string) Option {
	return func(s *start) { s.executable, s.thread = executable, thread }
}

// AsUser runs the agent with this user id.
func AsUser(uid int) Option { return func(s *start) { s.uid = uid } }

// In starts the agent directly in the cgroup.
func In(cgroup *testhost.Cgroup) Option { return func(s *start) { s.cgroup = cgroup } }

// Restricted starts the agent with fewer privileges than the test.
func Restricted(r restrict.Restriction) Option { return func(s *start) { s.restriction = &r } }

// InPIDNamespace starts the agent as the first process of a PID namespace.
func InPIDNamespace() Option { return func(s *start) { s.pidNamespace = true } }

// OfTestBinary has the agent run the test binary, whose own operations (Define) it can carry out too. It takes longer to start.
func OfTestBinary() Option { return func(s *start) { s.whole = true } }

// Start starts an agent in the namespace. It ends with the test.
func Start(t testing.TB, ns *testnet.Namespace, options ...Option) *Agent {
	t.Helper()
	s := start{executable: "kt-agent-of-a-test", thread: "kt-main"}
	for _, option := range options {
		option(&s)
	}
	from := agentProgram
	if s.whole {
		from = testBinary
	}
	cmd := exec.Command(executable(t, from, s.executable))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if s.uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.uid)}
	}
	if s.pidNamespace {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
	}
	if s.mountNamespace {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNS
	}
	if s.cgroup != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, s.cgroup.FD()
	}
	c, err := newChild(cmd, s.thread)
	require.NoError(t, err)
	require.NoError(t, ns.Run(func() error {
		if s.restriction != nil {
			// The agent inherits the restrictions of this thread.
			if err := s.restriction.Impose(); err != nil {
				return err
			}
		}
		return cmd.Start()
	}), "starting an agent")

	a := &Agent{t: t, child: c}
	t.Cleanup(a.Kill)
	a.Identity = identify.Call(a, Nothing{})
	if s.pidNamespace {
		require.Equal(t, 1, a.PID, "the agent's idea of its process id")
		a.PID = cmd.Process.Pid
	}
	require.Equal(t, cmd.Process.Pid, a.PID, "the agent's idea of its process id")
	return a
}

// OnThread returns the same agent, but with operations in new threads of that name.
func (a *Agent) OnThread(name string) *Agent {
	other := *a
	other.thread = name
	other.Thread = name
	return &other
}

// Exit ends the agent normally, like a process that returns from main. The kernel closes its descriptors.
func (a *Agent) Exit() {
	a.t.Helper()
	require.NoError(a.t, a.child.exit(), "the agent's exit")
}

// Kill ends the agent by SIGKILL, even during a system call.
func (a *Agent) Kill() { a.child.kill() }

var identify = Define("identify", func(Nothing) (Identity, error) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return Identity{}, err
	}
	comm, err := os.ReadFile("/proc/thread-self/comm")
	if err != nil {
		return Identity{}, err
	}
	var ns unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &ns); err != nil {
		return Identity{}, err
	}
	if unix.Gettid() != os.Getpid() {
		return Identity{}, fmt.Errorf("the agent runs on thread %d of process %d", unix.Gettid(), os.Getpid())
	}
	cgroup, err := ownCgroup()
	return Identity{
		PID: os.Getpid(), UID: os.Geteuid(), Executable: filepath.Base(exe), Thread: string(comm[:len(comm)-1]),
		NetNS: ns.Ino, Cgroup: cgroup,
	}, err
})
