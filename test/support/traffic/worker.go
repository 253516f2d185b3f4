// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// worker is a child process that repeats one operation many times, for a test or a command.
type worker struct {
	*child
	errors bytes.Buffer
}

// startWorker starts a worker, in a cgroup if that is not nil. The caller must stop or kill it.
func startWorker(in *testhost.Cgroup) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startWorkerAs(self, in)
}

// startWorkerAs starts a worker from another path of this executable.
func startWorkerAs(path string, in *testhost.Cgroup) (_ *worker, err error) {
	w := &worker{}
	cmd := exec.Command(path)
	cmd.Stderr = &w.errors
	// A busy worker does not read requests for seconds, so the kernel ends it with its parent.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if in != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, in.FD()
	}
	if w.child, err = newChild(cmd, ""); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a child process: %w", err)
	}
	return w, nil
}

// stop ends the worker normally.
func (w *worker) stop() error {
	if err := w.exit(); err != nil {
		return fmt.Errorf("child process: %w: %s", err, bytes.TrimSpace(w.errors.Bytes()))
	}
	return nil
}

// work makes a new worker carry out one operation, in the cgroup if that is not nil.
func work[Args, Result any](in *testhost.Cgroup, o Operation[Args, Result], args Args) (result Result, err error) {
	w, err := startWorker(in)
	if err != nil {
		return result, err
	}
	return once(w, o, args)
}

// once makes a worker carry out one operation, and ends it.
func once[Args, Result any](w *worker, o Operation[Args, Result], args Args) (result Result, err error) {
	defer w.kill()
	if result, err = o.ask(w.child, "", args); err != nil {
		return result, err
	}
	return result, w.stop()
}

// Once carries out one operation in a new process whose executable has the name. The process is in the test's own network
// namespace, and in the cgroup if that is not nil.
func Once[Args, Result any](t testing.TB, name string, in *testhost.Cgroup, o Operation[Args, Result], args Args) Result {
	t.Helper()
	w, err := startWorkerAs(executable(t, testBinary, name), in)
	require.NoError(t, err)
	result, err := once(w, o, args)
	require.NoError(t, err)
	return result
}

// onThreads runs f on n new threads and returns when all have ended. The threads make system calls that the Go runtime does
// not know of, and a garbage collection would wait for them, so it is off meanwhile.
func onThreads(n int, f func(thread int) error) error {
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(n + 2)
	ended := make(chan error, n)
	for i := range n {
		go func() {
			runtime.LockOSThread()
			ended <- f(i)
		}()
	}
	var errs []error
	for range n {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// stayOn pins this thread to the nth of the CPUs, modulo their number.
func stayOn(cpus []int, n int) error {
	var one unix.CPUSet
	one.Set(cpus[n%len(cpus)])
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("stay on a CPU: %w", err)
	}
	return nil
}
