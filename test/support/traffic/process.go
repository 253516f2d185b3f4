// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// endEnv makes a process end at once: with an exit code, by a signal (a negative number), or never.
const endEnv = "OTELCOL_EBPF_TRAFFIC_END"

// withoutLeader precedes the exit code of another thread. The process's first thread ends before, with a different code.
const withoutLeader = "without leader "

// withArgs makes the process exit with the number of its arguments.
const withArgs = "with args"

// RunTime is the minimum duration of a process of Run.
const RunTime = 20 * time.Millisecond

// never makes a process wait until it is killed.
const never = "never"

// OnlyCall is a system call that each process of Run makes exactly once, and no other process of a test makes.
const OnlyCall = "getsid"

// end ends a process that was started to end.
func end(how string) {
	_, _ = unix.Getsid(0)
	for how == never {
		_ = unix.Pause()
	}
	if how == withArgs {
		os.Exit(len(os.Args))
	}
	how, leaderless := strings.CutPrefix(how, withoutLeader)
	code, err := strconv.Atoi(how)
	if leaderless && err == nil {
		go func() {
			time.Sleep(RunTime)
			os.Exit(code)
		}()
		// End only this thread.
		_, _, _ = unix.Syscall(unix.SYS_EXIT, uintptr(code+1), 0, 0)
	}
	time.Sleep(RunTime)
	switch {
	case err != nil:
		panic(err)
	case code >= 0:
		os.Exit(code)
	default:
		_ = unix.Kill(os.Getpid(), unix.Signal(-code))
		select {}
	}
}

// Executable returns the path of a program with that base name that agents can run.
func Executable(t testing.TB, name string) string {
	t.Helper()
	return executable(t, agentProgram, name)
}

// Command is a program for an agent to run.
type Command struct {
	// Path is the executable, Dir the working directory.
	Path, Dir string
	// Args are all arguments including the program's name; if empty, only the path.
	Args []string
	// NoArgs runs the program without any arguments, even without a name.
	NoArgs bool
	// InPIDNamespace starts the program as the first process of a PID namespace.
	InPIDNamespace bool
	// End is the exit code or, if negative, the signal that ends it.
	End int
	// EndWithArgs makes it exit with the number of its arguments instead.
	EndWithArgs bool
	// WithoutLeader ends the process's first thread before the others, with an exit code that is not the process's.
	WithoutLeader bool
}

// Run is the result of a Command: its process, and a span of time in which it ran.
type Run struct {
	// PID is the process id in the agent's own PID namespace.
	PID        int
	Start, End time.Time
	// Created is the creation time in /proc/PID/stat, in clock ticks. It is zero if /proc belongs to another PID namespace.
	Created time.Time
	// ArgsCount is the exit code of EndWithArgs.
	ArgsCount int
}

// ClockTick is the unit of times in /proc/PID/stat.
const ClockTick = time.Second / 100

var run = Define("process.run", func(c Command) (r Run, err error) {
	how := strconv.Itoa(c.End)
	if c.WithoutLeader {
		how = withoutLeader + how
	}
	if c.EndWithArgs {
		how = withArgs
	}
	args := c.Args
	if len(args) == 0 && !c.NoArgs {
		args = []string{c.Path}
	}
	attributes := &os.ProcAttr{Dir: c.Dir, Env: []string{endEnv + "=" + how}, Sys: &syscall.SysProcAttr{}}
	if c.InPIDNamespace {
		attributes.Sys.Cloneflags = syscall.CLONE_NEWPID
	}
	r.Start = time.Now()
	process, err := os.StartProcess(c.Path, args, attributes)
	if err != nil {
		return r, err
	}
	r.PID = process.Pid
	described := r.readCreated()
	state, err := process.Wait()
	r.End = time.Now()
	if err := errors.Join(described, err); err != nil {
		return r, err
	}
	status := state.Sys().(syscall.WaitStatus)
	if c.EndWithArgs {
		if r.ArgsCount = status.ExitStatus(); r.ArgsCount < 0 {
			return r, fmt.Errorf("no exit code: %v", state)
		}
		return r, nil
	}
	if got := status.ExitStatus(); c.End >= 0 && got != c.End {
		return r, fmt.Errorf("exit code %d instead of %d", got, c.End)
	}
	if got := int(status.Signal()); c.End < 0 && got != -c.End {
		return r, fmt.Errorf("signal %d instead of %d", got, -c.End)
	}
	return r, nil
})

// ownPID is read once, so that an operation makes no call of getpid() that tests would count.
var ownPID = strconv.Itoa(os.Getpid())

// readCreated reads the creation time from /proc.
func (r *Run) readCreated() error {
	if self, err := os.Readlink("/proc/self"); err != nil || self != ownPID {
		return err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.PID))
	if err != nil {
		return err
	}
	// The process name may contain any character, so split after its last parenthesis. starttime is the 20th field after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return err
	}
	var sinceBoot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &sinceBoot); err != nil {
		return err
	}
	r.Created = time.Now().Add(time.Duration(ticks)*ClockTick - time.Duration(sinceBoot.Nano()))
	return nil
}

// Run makes the agent run a program.
func (a *Agent) Run(c Command) Run {
	a.t.Helper()
	return run.Call(a, c)
}

// Fork makes the agent run a program that creates that many processes, one after the other, which end at once.
func (a *Agent) Fork(count int) {
	a.t.Helper()
	run.Call(a, Command{Path: forkerPath(a.t, count), Args: []string{"forker"}})
}

var startThreads = Define("process.threads", func(count int) (Nothing, error) {
	done := make(chan error)
	for range count {
		go func() {
			// Keep a thread that sleeps in the kernel until the process ends.
			done <- nil
			_ = unix.Pause()
		}()
	}
	for range count {
		<-done
	}
	return Nothing{}, nil
})

// StartThreads starts that many more threads in the agent. They last as long as it does.
func (a *Agent) StartThreads(count int) {
	a.t.Helper()
	startThreads.Call(a, count)
}

var becomeUser = Define("process.user", func(uid int) (Nothing, error) { return Nothing{}, syscall.Setuid(uid) })

// BecomeUser makes the user of the agent another one, as servers do that begin as root.
func (a *Agent) BecomeUser(uid int) {
	a.t.Helper()
	becomeUser.Call(a, uid)
	a.UID = uid
}
