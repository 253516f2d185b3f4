// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// Waits is the kernel's count of how often tasks began to run, and how long they had waited for a CPU (schedstat).
type Waits struct {
	Count int
	Time  time.Duration
}

// Minus returns the growth since an earlier reading.
func (w Waits) Minus(before Waits) Waits {
	return Waits{Count: w.Count - before.Count, Time: w.Time - before.Time}
}

// waits reads the schedstat file of a task.
func waits(path string) (w Waits, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return w, err
	}
	var ran int64
	_, err = fmt.Sscan(string(text), &ran, &w.Time, &w.Count)
	return w, err
}

// Stop stops all threads of the agent, and returns their waits so far. Continue resumes them.
func (a *Agent) Stop() (all Waits) {
	a.t.Helper()
	require.NoError(a.t, unix.Kill(a.PID, unix.SIGSTOP))
	require.Eventually(a.t, func() bool {
		states, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", a.PID))
		require.NoError(a.t, err)
		for _, path := range states {
			text, err := os.ReadFile(path)
			require.NoError(a.t, err)
			_, state, _ := strings.Cut(string(text), ") ")
			if !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return true
	}, testenv.Patiently(10*time.Second), time.Millisecond, "the agent does not stop")
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", a.PID))
	require.NoError(a.t, err)
	for _, path := range threads {
		w, err := waits(path)
		require.NoError(a.t, err)
		all.Count += w.Count
		all.Time += w.Time
	}
	return all
}

// Continue resumes a stopped agent.
func (a *Agent) Continue() {
	a.t.Helper()
	require.NoError(a.t, unix.Kill(a.PID, unix.SIGCONT))
}

// keepThread keeps the calling goroutine's thread until the process ends. Otherwise its schedstat would be lost.
func keepThread() {
	for {
		_ = unix.Pause()
	}
}

func pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(0, &set)
}

// realTime gives the calling thread real-time priority over ordinary threads, and over real-time threads of lower priority.
func realTime(priority uint32) error {
	const fifo = 1
	return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: fifo, Priority: priority}, 0)
}

// sleepUntil puts this thread to sleep in the kernel. With Go's timers, the runtime would wait in another thread.
func sleepUntil(at time.Time) error {
	d := unix.NsecToTimespec(max(time.Until(at), 0).Nanoseconds())
	return unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &d, nil)
}

type turnsArgs struct{ CPU, Count int }

var takeTurns = Define("wait.turns", func(args turnsArgs) (Nothing, error) {
	var there, back [2]int
	if err := errors.Join(unix.Pipe(there[:]), unix.Pipe(back[:])); err != nil {
		return Nothing{}, err
	}
	done := make(chan error, 2)
	play := func(turn func(b []byte) error) {
		runtime.LockOSThread()
		err := pin(args.CPU)
		for i := 0; i < args.Count && err == nil; i++ {
			err = turn(make([]byte, 1))
		}
		done <- err
		keepThread()
	}
	go play(func(b []byte) error {
		_, sent := unix.Write(there[1], b)
		_, received := unix.Read(back[0], b)
		return errors.Join(sent, received)
	})
	go play(func(b []byte) error {
		_, received := unix.Read(there[0], b)
		_, sent := unix.Write(back[1], b)
		return errors.Join(received, sent)
	})
	return Nothing{}, errors.Join(<-done, <-done)
})

// TakeTurns makes two new threads of the agent wake each other that many times, on one CPU.
func (a *Agent) TakeTurns(cpu, count int) {
	a.t.Helper()
	takeTurns.Call(a, turnsArgs{CPU: cpu, Count: count})
}

type competeArgs struct{ Threads, Moves int }

var compete = Define("wait.compete", func(args competeArgs) (Nothing, error) {
	runtime.GOMAXPROCS(args.Threads + 2) // otherwise they would wait for the Go scheduler
	cpus, err := allowedCPUs()
	if err != nil {
		return Nothing{}, err
	}
	stop, tids := make(chan struct{}), make(chan int, args.Threads)
	spin := func() {
		tids <- unix.Gettid()
		for {
			select {
			case <-stop:
				return
			default: //nolint:staticcheck // spinning is what it is for
			}
		}
	}
	for range args.Threads - 1 {
		go func() {
			runtime.LockOSThread()
			spin()
			keepThread()
		}()
	}
	moved := make(chan error, 1)
	go func() {
		defer close(stop)
		moved <- moveThreads(tids, args, cpus)
	}()
	spin()
	return Nothing{}, <-moved
})

// moveThreads moves the started threads from one CPU to the next, in turn.
func moveThreads(started <-chan int, args competeArgs, cpus []int) error {
	var tids []int
	for range args.Threads {
		tids = append(tids, <-started)
	}
	for i := range args.Moves {
		var set unix.CPUSet
		set.Set(cpus[(i+i/args.Threads)%len(cpus)])
		if err := unix.SchedSetaffinity(tids[i%args.Threads], &set); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

func allowedCPUs() (cpus []int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// Compete makes threads of the agent, its main thread and new ones, compete for the CPUs. Each is moved to another CPU again
// and again, whether it runs or waits.
func (a *Agent) Compete(threads, moves int) {
	a.t.Helper()
	compete.Call(a, competeArgs{Threads: threads, Moves: moves})
}

// spinUntil spins without calls that would let the Go runtime preempt the thread.
func spinUntil(end time.Time) {
	now, last := unix.Timespec{}, end.UnixNano()
	for now.Sec*int64(time.Second)+now.Nsec < last {
		_, _, _ = syscall.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&now)), 0)
	}
}

type occupyArgs struct {
	CPU        int
	Start, End time.Time
}

var occupy = Define("wait.occupy", func(args occupyArgs) (Nothing, error) {
	err := errors.Join(pin(args.CPU), realTime(2), sleepUntil(args.Start))
	if err == nil {
		spinUntil(args.End)
	}
	return Nothing{}, err
})

// Occupy makes a thread of the agent occupy a CPU between two moments, so that a thread of WakeUp has to wait. Use OnThread
// for a new thread.
func (a *Agent) Occupy(cpu int, start, end time.Time) error {
	_, err := occupy.Try(a, occupyArgs{CPU: cpu, Start: start, End: end})
	return err
}

type wakeArgs struct {
	CPU int
	At  time.Time
}

// Wake is when a thread ran again, and how long it waited for its CPU since it went to sleep, according to the kernel.
type Wake struct {
	At    time.Time
	Waits Waits
}

var wakeUp = Define("wait.wake", func(args wakeArgs) (w Wake, err error) {
	if err := errors.Join(pin(args.CPU), realTime(1)); err != nil {
		return w, err
	}
	const account = "/proc/thread-self/schedstat"
	before, err := waits(account)
	if err != nil {
		return w, err
	}
	err = sleepUntil(args.At)
	w.At = time.Now()
	after, readErr := waits(account)
	w.Waits = after.Minus(before)
	return w, errors.Join(err, readErr)
})

// WakeUp makes a thread of the agent, which runs as root, sleep until that moment, and returns when it ran again. Use
// OnThread for a new thread: it becomes a real-time thread, because the kernel would give an ordinary one a share of the CPU.
func (a *Agent) WakeUp(cpu int, at time.Time) Wake {
	a.t.Helper()
	return wakeUp.Call(a, wakeArgs{CPU: cpu, At: at})
}

type restArgs struct {
	// Dir is the directory of the parent cgroup, Home that of the cgroup to return to.
	Dir, Home string
	Count     int
}

var restInCgroups = Define("wait.cgroups", func(args restArgs) (Nothing, error) {
	var made []string
	err := func() error {
		for i := range args.Count {
			dir := filepath.Join(args.Dir, strconv.Itoa(i))
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
			made = append(made, dir)
			if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o600); err != nil {
				return err
			}
			if err := unix.Nanosleep(&unix.Timespec{Nsec: 1000}, nil); err != nil {
				return err
			}
		}
		return nil
	}()
	err = errors.Join(err, os.WriteFile(filepath.Join(args.Home, "cgroup.procs"), []byte("0"), 0o600))
	for _, dir := range made {
		err = errors.Join(err, unix.Rmdir(dir))
	}
	return Nothing{}, err
})

// RestInCgroups makes the agent sleep for a moment in each of that many new cgroups below the given one. They are removed at
// the end.
func (a *Agent) RestInCgroups(inside *testhost.Cgroup, count int) {
	a.t.Helper()
	root := testhost.CgroupRoot(a.t)
	restInCgroups.Call(a, restArgs{Dir: filepath.Join(root, inside.Path), Home: root, Count: count})
}
