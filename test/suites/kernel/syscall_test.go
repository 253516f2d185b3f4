// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	slowEvent           = "ebpf.syscall.slow"
	errorsMetric        = "ebpf.syscall.errors"
	callDurationsMetric = "ebpf.syscall.duration"
	callKey             = "ebpf.syscall.name"
	callDurationKey     = "ebpf.syscall.duration"
	callResultKey       = "ebpf.syscall.result"
)

func init() {
	counts("syscall", forContainer{
		settings: "{detail: container}",
		act: func(t *testing.T, p place) {
			require.NotZero(t, p.agent.CallFile(traffic.FileCall{Call: "unlink", Path: filepath.Join(t.TempDir(), "none")}).Errno)
		},
		metrics: []string{errorsMetric, callDurationsMetric},
	})
}

// Invalid descriptors, as arguments of system calls that fail.
const (
	noFD        = ^uintptr(0)
	noDirectory = ^uintptr(99) // AT_FDCWD
)

// newCaller starts an agent in a container. Its Go runtime does not make the tested calls, or not in that way.
func newCaller(t *testing.T, name string) (*traffic.Agent, *testhost.Cgroup) {
	t.Helper()
	container := testhost.NewContainer(t)
	return traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.Named(name, "caller-main"), traffic.AsUser(clientUser)), container
}

// sleeping is a system call that sleeps. Go's runtime uses another one.
func sleeping(d time.Duration, count int) traffic.Calls {
	return traffic.Calls{Number: unix.SYS_CLOCK_NANOSLEEP, Args: [4]uintptr{unix.CLOCK_MONOTONIC}, Time: d, Arguments: []int{2}, Count: count}
}

// awaitingNoSignal waits for an empty set of signals, and so fails at the end of the time.
func awaitingNoSignal(d time.Duration, count int) traffic.Calls {
	// The text is also the empty set of signals: it begins with the seconds, which are 0.
	return traffic.Calls{Number: unix.SYS_RT_SIGTIMEDWAIT, Args: [4]uintptr{3: 8}, Time: d, Arguments: []int{0, 2}, Count: count}
}

// callErrors is the number of failed calls by name and error type.
func callErrors(m testreceiver.Scrape, name, errorType string) int {
	return m.Int(errorsMetric, testreceiver.Attributes{callKey: name, "error.type": errorType})
}

// callCount returns the histogram's number of calls by name, and the sum of their durations.
func callCount(m testreceiver.Scrape, name string) (count int, sum time.Duration) {
	p, ok := m.Histogram(callDurationsMetric, testreceiver.Attributes{callKey: name})
	if !ok {
		return 0, 0
	}
	return int(p.Count()), time.Duration(p.Sum() * float64(time.Second))
}

// Each call is counted by name, with its error and its duration.
func TestSyscallsAreCounted(t *testing.T) {
	testnet.Require(t)
	older, olderContainer := newCaller(t, "kernel-test-caller")
	r := testreceiver.Start(t, "programs: {syscall: {detail: full}}")
	newer, newerContainer := newCaller(t, "kernel-test-caller")
	for name, c := range map[string]struct {
		agent     *traffic.Agent
		container *testhost.Cgroup
	}{"older": {older, olderContainer}, "newer": {newer, newerContainer}} {
		t.Run(name, func(t *testing.T) {
			took, counts := map[string]time.Duration{}, map[string]int{}
			call := func(name string, errno unix.Errno, calls traffic.Calls) {
				made := c.agent.Make(calls)
				require.Equal(t, errno, made.Errno, name)
				took[name], counts[name] = made.End.Sub(made.Start), calls.Count
			}
			call("dup", unix.EBADF, traffic.Calls{Number: unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 1000})
			call("unlinkat", unix.ENOENT, traffic.Calls{
				Number: unix.SYS_UNLINKAT, Args: [4]uintptr{noDirectory}, Text: "/none/at/all", Arguments: []int{1}, Count: 300,
			})
			call("getpriority", 0, traffic.Calls{Number: unix.SYS_GETPRIORITY, Count: 70})
			call("clock_nanosleep", 0, sleeping(30*time.Millisecond, 3))
			call("rt_sigtimedwait", unix.EAGAIN, awaitingNoSignal(time.Millisecond, 5))
			// Go's runtime also closes descriptors, but none twice.
			require.Equal(t, unix.EBADF, c.agent.Make(traffic.Calls{Number: unix.SYS_CLOSE, Args: [4]uintptr{noFD}, Count: 2000}).Errno)

			m := r.Scrape(t).In(c.container)
			for name, want := range counts {
				count, sum := callCount(m, name)
				assert.Equal(t, want, count, name)
				assert.Positive(t, sum, name)
				assert.LessOrEqual(t, sum, took[name], name)
			}
			failed := map[string]string{"dup": "ebadf", "unlinkat": "enoent", "rt_sigtimedwait": "eagain"}
			for name, count := range counts {
				if failed[name] == "" {
					count = 0
				}
				assert.Equal(t, count, m.Int(errorsMetric, testreceiver.Attributes{callKey: name}), name)
				assert.Equal(t, count, callErrors(m, name, failed[name]), name)
			}
			assert.Equal(t, 2000, callErrors(m, "close", "ebadf"))
			sleeps, ok := m.Histogram(callDurationsMetric, testreceiver.Attributes{callKey: "clock_nanosleep"})
			require.True(t, ok)
			for i, n := range sleeps.BucketCounts().AsRaw() {
				if i < sleeps.ExplicitBounds().Len() && sleeps.ExplicitBounds().At(i) < 0.03 {
					assert.Zero(t, n, "shorter than %f s", sleeps.ExplicitBounds().At(i))
				}
			}
			assert.GreaterOrEqual(t, sleeps.Sum(), 0.09)
		})
	}
	assert.Empty(t, lost(r.Scrape(t), "syscall"))
}

// By default, the calls of all containers are one series per call and error. They have sums, but no buckets.
func TestSyscallsOfTheHost(t *testing.T) {
	testnet.Require(t)
	first, container := newCaller(t, "kernel-test-caller")
	second, _ := newCaller(t, "kernel-test-caller")
	// No other process of this host makes this call with these errors.
	strange := func(a *traffic.Agent, count int) traffic.Made {
		return a.Make(traffic.Calls{Number: unix.SYS_MEMBARRIER, Args: [4]uintptr{1 << 30}, Count: count})
	}
	for name, kind := range map[string]string{"explicit": "explicit", "exponential": "exponential"} {
		t.Run(name, func(t *testing.T) {
			r := testreceiver.Start(t, "histogram: "+kind+"\nprograms: {syscall: {}}")
			begin := time.Now()
			require.Equal(t, unix.EINVAL, strange(first, 30).Errno)
			require.Equal(t, unix.EINVAL, strange(second, 12).Errno)
			m, took := r.Scrape(t), time.Since(begin)
			assert.Equal(t, 42, callErrors(m, "membarrier", "einval"))
			points, ok := m.Histogram(callDurationsMetric, testreceiver.Attributes{callKey: "membarrier"})
			require.True(t, ok)
			assert.EqualValues(t, 42, points.Count())
			assert.Positive(t, points.Sum())
			assert.Less(t, points.Sum(), took.Seconds())
			assert.Zero(t, points.BucketCounts().Len())
			for _, metric := range []string{callDurationsMetric, errorsMetric} {
				assert.Equal(t, []map[string]any{{}}, m.Resources(metric), "the host's resource has no container")
			}
			assert.Empty(t, m.In(container).Series(errorsMetric))
		})
	}
}

// Numbers without a known system call get no invented name.
func TestSyscallsWithoutName(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {syscall: {detail: full}}")
	a, container := newCaller(t, "kernel-test-caller")
	for _, number := range []uintptr{traffic.FirstUnknownCall, 1 << 20, 1<<31 - 1} {
		require.Equal(t, unix.ENOSYS, a.Make(traffic.Calls{Number: number, Count: 10}).Errno)
	}
	m := r.Scrape(t).In(container)
	assert.Equal(t, 10, callErrors(m, strconv.Itoa(traffic.FirstUnknownCall), "enosys"))
	assert.Equal(t, 20, callErrors(m, "_OTHER", "enosys"))
}

// slow checks the event of an agent's call.
func slow(t *testing.T, e testreceiver.Event, a *traffic.Agent, in *testhost.Cgroup, name string, made traffic.Made, took time.Duration) {
	t.Helper()
	want, severity := attributes{
		callKey: name, "process.pid": int64(a.PID), "process.executable.name": a.Executable, "process.user.id": int64(a.UID),
		"thread.name": a.Thread, "process.linux.cgroup": "0::" + in.Path,
	}, plog.SeverityNumberInfo
	if made.Errno == 0 {
		want[callResultKey] = int64(made.Result)
	} else {
		severity = plog.SeverityNumberWarn
		want["error.type"] = map[unix.Errno]string{unix.EAGAIN: "eagain", unix.ETIMEDOUT: "timed_out"}[made.Errno]
	}
	check(t, e, slowEvent, severity, want, callDurationKey)
	between(t, e, callDurationKey, took, made.End.Sub(made.Start))
	within(t, e, made.Start.Add(took), made.End)
	assert.Equal(t, resource(in), e.Resource)
	assert.Contains(t, e.Body, fmt.Sprintf("%s[%d] %s ", a.Thread, a.PID, name))
}

// A call that blocks by design is an event only if configured. It is counted anyway.
func TestSyscallsThatWait(t *testing.T) {
	testnet.Require(t)
	const took = 60 * time.Millisecond
	calls := "syscalls: [clock_nanosleep, rt_sigtimedwait, openat, read, ioctl, flock, fcntl], threshold: 50ms"
	later := testenv.Patiently(300 * time.Millisecond) // by then the call has begun
	for name, waiting := range map[string]bool{"left out": false, "asked for": true} {
		t.Run(name, func(t *testing.T) {
			r := testreceiver.Start(t, fmt.Sprintf("programs: {connection: {}, syscall: {%s, waiting: %t}}", calls, waiting))
			a, container := newCaller(t, "kernel-test-caller")
			slept := a.Make(sleeping(took, 1))
			require.Zero(t, slept.Errno)
			other := a.OnThread("other-thread")
			waited := other.Make(awaitingNoSignal(took, 1))
			require.Equal(t, unix.EAGAIN, waited.Errno)

			// Opening a pipe waits until another process opens it.
			pipe := filepath.Join(filepath.Dir(traffic.Executable(t, a.Executable)), "pipe-"+strconv.FormatBool(waiting))
			require.NoError(t, unix.Mkfifo(pipe, 0o600))
			t.Cleanup(func() { _ = os.Remove(pipe) })
			require.NoError(t, os.Chown(pipe, clientUser, clientUser))
			var writer *os.File
			opening := make(chan struct{})
			go func() {
				defer close(opening)
				time.Sleep(later)
				writer, _ = os.OpenFile(pipe, os.O_WRONLY, 0)
			}()
			opened := a.Make(traffic.Calls{Number: unix.SYS_OPENAT, Args: [4]uintptr{noDirectory}, Text: pipe, Arguments: []int{1}, Count: 1})
			require.Zero(t, opened.Errno)
			<-opening
			defer writer.Close()
			time.AfterFunc(later, func() { _, _ = writer.WriteString("x") })
			read := a.Make(traffic.Calls{Number: unix.SYS_READ, Args: [4]uintptr{opened.Result, 0, 1}, Text: "room", Arguments: []int{1}, Count: 1})
			require.Equal(t, uintptr(1), read.Result)

			// This process holds a lock of each kind for a while.
			file := filepath.Join(filepath.Dir(traffic.Executable(t, a.Executable)), "lock-"+strconv.FormatBool(waiting))
			locked := map[string]traffic.Made{}
			for name, lock := range map[string]func(fd uintptr) traffic.Calls{
				"flock": func(fd uintptr) traffic.Calls {
					return traffic.Calls{Number: unix.SYS_FLOCK, Args: [4]uintptr{fd, unix.LOCK_EX}, Count: 1}
				},
				"F_SETLKW":     func(fd uintptr) traffic.Calls { return lockCall(fd, unix.F_SETLKW) },
				"F_OFD_SETLKW": func(fd uintptr) traffic.Calls { return lockCall(fd, unix.F_OFD_SETLKW) },
			} {
				held, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
				require.NoError(t, err)
				require.NoError(t, os.Chown(file, clientUser, clientUser))
				if name == "flock" {
					require.NoError(t, unix.Flock(int(held.Fd()), unix.LOCK_EX))
				} else {
					require.NoError(t, unix.FcntlFlock(held.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}))
				}
				opened := a.Make(traffic.Calls{Number: unix.SYS_OPENAT, Args: [4]uintptr{noDirectory, 0, unix.O_RDWR}, Text: file, Arguments: []int{1}, Count: 1})
				require.Zero(t, opened.Errno)
				time.AfterFunc(later, func() { _ = held.Close() })
				locked[name] = a.Make(lock(opened.Result))
				require.Zero(t, locked[name].Errno, name)
				require.NoError(t, os.Remove(file))
			}

			// The agent itself also reads from a pipe, but larger amounts.
			bySize := func(e testreceiver.Event) bool {
				return e.Attributes[callKey] != "read" || e.Attributes[callResultKey] == int64(1)
			}
			ofAgent := []testreceiver.Match{testreceiver.Named(slowEvent), testreceiver.OfProcess(a.PID), bySize}
			if waiting {
				byName := map[string][]testreceiver.Event{}
				for _, e := range r.Exactly(t, 7, ofAgent...) {
					name := e.Attributes[callKey].(string)
					byName[name] = append(byName[name], e)
				}
				slow(t, byName["clock_nanosleep"][0], a, container, "clock_nanosleep", slept, took)
				slow(t, byName["rt_sigtimedwait"][0], other, container, "rt_sigtimedwait", waited, took)
				slow(t, byName["openat"][0], a, container, "openat", opened, 50*time.Millisecond)
				slow(t, byName["read"][0], a, container, "read", read, 50*time.Millisecond)
				slow(t, byName["flock"][0], a, container, "flock", locked["flock"], 50*time.Millisecond)
				assert.Len(t, byName["fcntl"], 2)
			} else {
				r.Exactly(t, 0, ofAgent...)
			}
			m := r.Scrape(t).In(container)
			for _, name := range []string{"clock_nanosleep", "rt_sigtimedwait"} {
				n, sum := callCount(m, name)
				assert.Equal(t, 1, n, name)
				assert.GreaterOrEqual(t, sum, took, name)
			}
		})
	}
}

// lockCall locks the file of a descriptor by fcntl. The text has the bytes of a struct flock: F_WRLCK, followed by zeros.
func lockCall(fd, command uintptr) traffic.Calls {
	return traffic.Calls{Number: unix.SYS_FCNTL, Args: [4]uintptr{fd, command}, Text: "\x01", Arguments: []int{2}, Count: 1}
}

// A negative result is not always an error: fcntl returns a process group that owns a descriptor as a negative number, and
// rt_sigreturn returns to interrupted code with that code's registers.
func TestSyscallsWithNegativeResults(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {syscall: {syscalls: [fcntl, rt_sigreturn, ppoll]}}")
	container := testhost.NewContainer(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.InPIDNamespace())
	call := func(number uintptr, args ...uintptr) traffic.Made {
		c := traffic.Calls{Number: number, Count: 1}
		copy(c.Args[:], args)
		return a.Make(c)
	}
	require.Zero(t, call(unix.SYS_SETPGID, 0, 0).Errno)
	socket := call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM)
	require.Zero(t, socket.Errno)
	require.Zero(t, call(unix.SYS_FCNTL, socket.Result, unix.F_SETOWN, ^uintptr(0)).Errno)
	assert.Equal(t, unix.Errno(1), call(unix.SYS_FCNTL, socket.Result, unix.F_GETOWN).Errno, "process group 1 looks like EPERM")
	assert.Equal(t, unix.EBADF, call(unix.SYS_FCNTL, noFD, unix.F_GETOWN).Errno)

	// The signal interrupts ppoll. Its handler ends with rt_sigreturn, and the result register then has ppoll's -EINTR.
	interrupt := time.AfterFunc(testenv.Patiently(200*time.Millisecond), func() { _ = unix.Kill(a.PID, unix.SIGURG) })
	defer interrupt.Stop()
	polled := a.Make(traffic.Calls{Number: unix.SYS_PPOLL, Time: 10 * time.Second, Arguments: []int{2}, Count: 1})
	require.Equal(t, unix.EINTR, polled.Errno)

	m := r.Scrape(t).In(container)
	assert.Equal(t, 1, m.Int(errorsMetric, testreceiver.Attributes{callKey: "fcntl"}), "only the closed descriptor")
	assert.Equal(t, 1, callErrors(m, "fcntl", "ebadf"))
	count, _ := callCount(m, "rt_sigreturn")
	assert.Positive(t, count)
	assert.Zero(t, m.Int(errorsMetric, testreceiver.Attributes{callKey: "rt_sigreturn"}))
	assert.Positive(t, m.Int(errorsMetric, testreceiver.Attributes{callKey: "ppoll"}))
}

// A long call on a file of any size is slow. A read from a pipe is only blocking.
func TestSyscallsOnFiles(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {syscall: {syscalls: [sendfile], threshold: 1ms}}")
	a, container := newCaller(t, "kernel-test-caller")
	// A sparse file uses no space, and copying it takes as long as this test needs.
	dir := filepath.Dir(traffic.Executable(t, a.Executable))
	const size = 32 * mebibyte
	source, target := filepath.Join(dir, "source"), filepath.Join(dir, "target")
	for _, path := range []string{source, target} {
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Chown(path, clientUser, clientUser))
		t.Cleanup(func() { _ = os.Remove(path) })
	}
	require.NoError(t, os.Truncate(source, size))
	open := func(path string, flags uintptr) uintptr {
		opened := a.Make(traffic.Calls{Number: unix.SYS_OPENAT, Args: [4]uintptr{noDirectory, 0, flags}, Text: path, Arguments: []int{1}, Count: 1})
		require.Zero(t, opened.Errno, path)
		return opened.Result
	}
	copied := a.Make(traffic.Calls{Number: unix.SYS_SENDFILE, Args: [4]uintptr{open(target, unix.O_WRONLY), open(source, 0), 0, size}, Count: 1})
	require.Equal(t, uintptr(size), copied.Result)
	slow(t, r.Wait(t, 1, testreceiver.Named(slowEvent), testreceiver.OfProcess(a.PID))[0], a, container, "sendfile", copied, time.Millisecond)
}

// Only selected calls are observed. The collector's own process is excluded by default.
func TestSyscallFilters(t *testing.T) {
	testnet.Require(t)
	chosen, chosenContainer := newCaller(t, "kernel-test-chosen")
	other, otherContainer := newCaller(t, "kernel-test-other")
	inside := traffic.Start(t, testnet.NewNamespace(t), traffic.In(chosenContainer.Nested(t, "inside")), traffic.Named("kernel-test-inside", "inside"))
	type seen struct{ chosen, inside, other, self int }
	for name, tt := range map[string]struct {
		config string
		dups   seen
		sleeps int
	}{
		"none":           {"programs: {syscall: {detail: full}}", seen{100, 100, 100, 0}, 1},
		"self":           {"exclude: {self: false}\nprograms: {syscall: {detail: full}}", seen{100, 100, 100, 100}, 1},
		"calls":          {"programs: {syscall: {syscalls: [dup, close]}}", seen{100, 100, 100, 0}, 0},
		"other calls":    {"programs: {syscall: {syscalls: [clock_nanosleep]}}", seen{}, 1},
		"an executable":  {"programs: {syscall: {executables: [kernel-test-chosen, none]}}", seen{100, 0, 0, 0}, 1},
		"no executables": {"exclude: {executables: [kernel-test-chosen]}\nprograms: {syscall: {detail: full}}", seen{0, 100, 100, 0}, 0},
		"without events": {"programs: {syscall: {events: false, executables: [kernel-test-other]}}", seen{0, 0, 100, 0}, 0},
		"a container":    {"programs: {syscall: {containers: ['" + chosenContainer.ContainerID + "']}}", seen{100, 100, 0, 0}, 1},
		"short ids": {
			"programs: {syscall: {containers: ['0123456789ab', '" + otherContainer.ContainerID[:12] + "']}}", seen{0, 0, 100, 0}, 0,
		},
		"everything": {
			"programs: {syscall: {syscalls: [dup], executables: [kernel-test-inside], containers: ['" + chosenContainer.ContainerID[:20] + "']}}",
			seen{0, 100, 0, 0},
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := testreceiver.Start(t, tt.config)
			dups := traffic.Calls{Number: unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 100}
			in := func(c *testhost.Cgroup) int { return callErrors(r.Scrape(t).In(c), "dup", "ebadf") }
			chosen.Make(dups)
			assert.Equal(t, tt.dups.chosen, in(chosenContainer), "chosen")
			inside.Make(dups)
			assert.Equal(t, tt.dups.chosen+tt.dups.inside, in(chosenContainer), "inside")
			other.Make(dups)
			assert.Equal(t, tt.dups.other, in(otherContainer), "other")
			chosen.Make(sleeping(time.Millisecond, 1))
			sleeps, _ := callCount(r.Scrape(t).In(chosenContainer), "clock_nanosleep")
			assert.Equal(t, tt.sleeps, sleeps)

			before := callErrors(r.Scrape(t), "dup", "ebadf")
			for range 100 {
				_, _, errno := unix.RawSyscall(unix.SYS_DUP, noFD, 0, 0)
				require.Equal(t, unix.EBADF, errno)
			}
			assert.Equal(t, tt.dups.self, callErrors(r.Scrape(t), "dup", "ebadf")-before, "the collector itself")
		})
	}
}

// A selected container is observed from its first call on, and again when it is restarted.
func TestSyscallsOfContainersThatStartLater(t *testing.T) {
	testnet.Require(t)
	id := testhost.NewContainerID(t)
	r := testreceiver.Start(t, "programs: {syscall: {syscalls: [dup], containers: ['"+id+"']}}")
	counted := func() int { return callErrors(r.Scrape(t), "dup", "ebadf") }
	for range 2 {
		container := testhost.NewCgroupAt(t, "/system.slice/docker-"+id+".scope")
		a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container))
		a.Make(traffic.Calls{Number: unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 100})
		require.Equal(t, 100, counted())
		a.Exit()
		container.Remove(t)
		r.ScrapeUntil(t, func(testreceiver.Scrape) bool { return counted() == 0 })
		require.Zero(t, counted(), "counts must end with the container")
	}
}

// Processes are observed while they are in a container's cgroup, wherever it is and whatever creates it.
func TestSyscallsOfContainersByName(t *testing.T) {
	testnet.Require(t)
	id := testhost.NewContainerID(t)
	r := testreceiver.Start(t, "programs: {syscall: {syscalls: [dup], containers: ['0123456789ab', '"+id[:12]+"']}}")
	outside := testhost.NewCgroup(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(outside))
	counted := func() int {
		a.Make(traffic.Calls{Number: unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 100})
		return callErrors(r.Scrape(t), "dup", "ebadf")
	}
	ids := strings.NewReplacer("<id>", id, "<other>", testhost.NewContainerID(t), "<short>", id[:63])
	const pod = "/kubepods-burstable-pod1b2c3d4e_5f60_7182_93a4_b5c6d7e8f901.slice"
	for path, want := range map[string]int{
		"/docker/<id>":                                   100,
		"/system.slice/docker-<id>.scope":                100,
		pod + "/cri-containerd-<id>.scope":               100,
		pod + "/crio-<id>.scope/container":               100,
		"/system.slice" + pod + ":cri-containerd:<id>":   100,
		"/docker/<id>/a/b/c/d/e/f/g/h/i/j":               100,
		"/docker/<id>/docker/<other>":                    100,
		"/docker/<other>/docker/<id>":                    100,
		"/docker/<other>":                                0,
		"/docker/<short>":                                0,
		"/machine.slice/libpod-conmon-<id>.scope":        0,
		pod + "/crio-conmon-<id>":                        0,
		"/system.slice/<id>.service":                     0,
		"/system.slice/overlay2-<id>-merged.mount":       0,
		"/" + strings.Repeat("x", 180) + "<short>.scope": 0,
	} {
		// Counts of a cgroup end with it, so it stays until all tests are done.
		group := testhost.NewCgroupAt(t, ids.Replace(path))
		t.Run(strings.ReplaceAll(path, "/", " "), func(t *testing.T) {
			before := counted()
			group.Take(t, a.PID)
			assert.Equal(t, before+want, counted(), "inside")
			outside.Take(t, a.PID)
			assert.Equal(t, before+want, counted(), "outside again")
		})
	}
}

// Events over the limit are counted as lost, and the metrics are complete.
func TestSyscallEventLimit(t *testing.T) {
	testnet.Require(t)
	const count = 2000
	r := testreceiver.Start(t, "programs: {syscall: {syscalls: [clock_nanosleep], executables: [kernel-test-caller], threshold: 50µs, waiting: true, event_limit: 50}}")
	a, container := newCaller(t, "kernel-test-caller")
	a.Make(sleeping(100*time.Microsecond, count))
	m := r.Scrape(t)
	made, _ := callCount(m.In(container), "clock_nanosleep")
	assert.Equal(t, count, made)
	held := lost(m, "syscall")
	assert.Greater(t, held["rate_limit"], count/2)
	assert.Len(t, r.Wait(t, count-held["rate_limit"], testreceiver.Named(slowEvent), inContainer(container)), count-held["rate_limit"], "%v", held)
	assert.Len(t, held, 1, "%v", held)
}

// A process that executes is another program afterwards. The execve call itself still belongs to the program before.
func TestSyscallsAcrossExecve(t *testing.T) {
	testnet.Require(t)
	program := traffic.Executable(t, "kernel-test-program")
	for _, after := range []bool{false, true} {
		shell, container := newShell(t)
		executable := shell.Executable
		if after {
			executable = filepath.Base(program)
		}
		r := testreceiver.Start(t, "programs: {syscall: {syscalls: [execve, "+traffic.OnlyCall+"], executables: ["+executable+"]}}")
		const count = 20
		for range count {
			shell.Run(traffic.Command{Path: program, Args: []string{"x"}})
		}
		m := r.Scrape(t).In(container)
		executed, _ := callCount(m, "execve")
		begun, _ := callCount(m, traffic.OnlyCall)
		if after {
			assert.Zero(t, executed)
			assert.Equal(t, count, begun)
		} else {
			assert.Equal(t, count, executed)
			assert.Zero(t, begun)
		}
	}
}

// With more series than entries in the map, the rest is counted in the overflow series, and the sum is complete.
func TestSyscallsInMoreSeriesThanThereIsRoomFor(t *testing.T) {
	testnet.Require(t)
	const cgroups, numbers = 60, 400
	r := testreceiver.Start(t, "programs: {syscall: {events: false, executables: [kernel-test-many]}}")
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.Named("kernel-test-many", "many")) // root may move between cgroups
	a.MakeUnknownCalls(testhost.NewCgroup(t), cgroups, numbers)

	m := r.Scrape(t)
	overflow := testreceiver.Attributes{"otel.metric.overflow": "true"}
	apart := 0
	for i := range numbers {
		apart += callErrors(m, strconv.Itoa(traffic.FirstUnknownCall+i), "enosys")
	}
	together := m.Int(errorsMetric, overflow)
	assert.Positive(t, together)
	assert.GreaterOrEqual(t, apart+together, cgroups*numbers)
	assert.Less(t, apart+together, cgroups*numbers+1000, "a few other calls of the agent fail, too")
	p, ok := m.Histogram(callDurationsMetric, overflow)
	require.True(t, ok)
	assert.Equal(t, map[string]int{"map_full": int(p.Count())}, lost(m, "syscall"))
	assert.GreaterOrEqual(t, int(p.Count()), together)
}

// The series of a container end with it.
func TestSyscallSeriesGoWithTheirContainer(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "collection_interval: 200ms\nprograms: {syscall: {syscalls: [dup]}}")
	a, container := newCaller(t, "kernel-test-caller")
	a.Make(traffic.Calls{Number: unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 10})
	require.Equal(t, 10, callErrors(r.Scrape(t).In(container), "dup", "ebadf"))
	a.Exit()
	container.Remove(t)
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return len(m.In(container).Find(errorsMetric)) == 0 }).In(container)
	assert.Empty(t, m.Find(errorsMetric))
	assert.Empty(t, m.Find(callDurationsMetric))
}

func init() {
	inMasses["syscall"] = massesOf{settings: "{events: false, syscalls: [wait4, dup]}", check: masses.checkSyscall}
}

func (m masses) checkSyscall(t *testing.T) {
	// Threads that end in a call leave nothing behind either.
	for range 100 {
		m.shell.OnThread("short-lived").Make(traffic.Calls{Number: unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 1})
	}
	s := m.r.Scrape(t)
	made, _ := callCount(s.In(m.container), "wait4")
	assert.GreaterOrEqual(t, made, m.count)
	// Go waits for the shell's two children with waitid first.
	assert.LessOrEqual(t, made, m.count+4)
	assert.Equal(t, 100, callErrors(s.In(m.container), "dup", "ebadf"))
	assert.Empty(t, lost(s, "syscall"))

	caller, container := newCaller(t, "kernel-test-caller")
	caller.Make(traffic.Calls{Number: unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 1000})
	assert.Equal(t, 1000, callErrors(m.r.Scrape(t).In(container), "dup", "ebadf"))
}
