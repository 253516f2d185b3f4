// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openers open a descriptor of each kind. A pipe has two.
var openers = map[string]func() ([]int, error){
	"file":      func() ([]int, error) { return one(unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)) },
	"place":     func() ([]int, error) { return one(unix.Open("/dev/null", unix.O_PATH|unix.O_CLOEXEC, 0)) },
	"memfd":     func() ([]int, error) { return one(unix.MemfdCreate("[eventfd]", unix.MFD_CLOEXEC)) },
	"directory": func() ([]int, error) { return one(unix.Open("/", unix.O_DIRECTORY|unix.O_CLOEXEC, 0)) },
	"device":    func() ([]int, error) { return one(unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)) },
	"socket":    func() ([]int, error) { return one(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)) },
	"pipe": func() ([]int, error) {
		ends := make([]int, 2)
		return ends, unix.Pipe2(ends, unix.O_CLOEXEC)
	},
	"epoll":    func() ([]int, error) { return one(unix.EpollCreate1(unix.EPOLL_CLOEXEC)) },
	"eventfd":  func() ([]int, error) { return one(unix.Eventfd(0, unix.EFD_CLOEXEC)) },
	"timerfd":  func() ([]int, error) { return one(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)) },
	"signalfd": func() ([]int, error) { return one(unix.Signalfd(-1, &unix.Sigset_t{}, unix.SFD_CLOEXEC)) },
	"inotify":  func() ([]int, error) { return one(unix.InotifyInit1(unix.IN_CLOEXEC)) },
	"pidfd":    func() ([]int, error) { return one(unix.PidfdOpen(os.Getpid(), 0)) },
	"bpf":      func() ([]int, error) { return one(newBPFMap()) },
	"perf_event": func() ([]int, error) {
		return one(unix.PerfEventOpen(&unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Size: unix.PERF_ATTR_SIZE_VER1, Config: unix.PERF_COUNT_SW_DUMMY},
			0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC))
	},
	"io_uring": func() ([]int, error) {
		var params [120]byte
		fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
		return one(int(fd), errnoError(errno))
	},
	"other": func() ([]int, error) { return one(unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC, 0)) },
}

// DescriptorKinds are the kinds of descriptors that agents can open, with the value of ebpf.file_descriptor.kind.
var DescriptorKinds = map[string]string{
	"file": "file", "place": "file", "memfd": "file", "directory": "directory", "device": "device", "socket": "socket", "pipe": "pipe",
	"epoll": "epoll", "eventfd": "eventfd", "timerfd": "timerfd", "signalfd": "signalfd", "inotify": "inotify", "pidfd": "pidfd",
	"bpf": "bpf", "perf_event": "perf_event", "io_uring": "io_uring", "other": "other",
}

func one(fd int, err error) ([]int, error) { return []int{fd}, err }

func newBPFMap() (int, error) {
	attributes := struct{ kind, keySize, valueSize, entries uint32 }{2, 4, 4, 1} // an array
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_MAP_CREATE, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	return int(fd), errnoError(errno)
}

// descriptors are the agent's open descriptors by kind.
var descriptors = map[string][]int{}

type descriptorArgs struct {
	Kind  string
	Count int
}

var openDescriptors = Define("descriptor.open", func(args descriptorArgs) (Nothing, error) {
	return Nothing{}, openMore(args.Kind, args.Count)
})

func openMore(kind string, count int) error {
	for range count {
		fds, err := openers[kind]()
		if err != nil {
			return fmt.Errorf("opening %s: %w", kind, err)
		}
		descriptors[kind] = append(descriptors[kind], fds...)
	}
	return nil
}

// OpenDescriptors opens that many descriptors of a kind, or pairs of pipes.
func (a *Agent) OpenDescriptors(kind string, count int) {
	a.t.Helper()
	openDescriptors.Call(a, descriptorArgs{kind, count})
}

// TryOpenDescriptors is OpenDescriptors for a kind that the kernel may lack.
func (a *Agent) TryOpenDescriptors(kind string, count int) error {
	_, err := openDescriptors.Try(a, descriptorArgs{kind, count})
	return err
}

var closeDescriptors = Define("descriptor.close", func(args descriptorArgs) (Nothing, error) {
	return Nothing{}, closeSome(args.Kind, args.Count)
})

func closeSome(kind string, count int) error {
	open := descriptors[kind]
	for range count {
		fd := open[len(open)-1]
		open = open[:len(open)-1]
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	descriptors[kind] = open
	return nil
}

// CloseDescriptors closes that many descriptors of a kind.
func (a *Agent) CloseDescriptors(kind string, count int) {
	a.t.Helper()
	closeDescriptors.Call(a, descriptorArgs{kind, count})
}

var dupDescriptors = Define("descriptor.dup", func(args descriptorArgs) (Nothing, error) {
	if err := liftLimit(); err != nil {
		return Nothing{}, err
	}
	for range args.Count {
		fd, err := unix.FcntlInt(uintptr(descriptors[args.Kind][0]), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return Nothing{}, err
		}
		descriptors[args.Kind] = append(descriptors[args.Kind], fd)
	}
	return Nothing{}, nil
})

// liftLimit raises the agent's limit to MaxDescriptors, if it is allowed to.
func liftLimit() error {
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: MaxDescriptors, Max: MaxDescriptors}) == nil {
		return nil
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// MaxDescriptors is the maximum number of descriptors of an agent.
const MaxDescriptors = 20_000

// DupDescriptors duplicates the agent's first descriptor of a kind that many times.
func (a *Agent) DupDescriptors(kind string, count int) {
	a.t.Helper()
	dupDescriptors.Call(a, descriptorArgs{kind, count})
}

var replaceDescriptors = Define("descriptor.replace", func(args descriptorArgs) (Nothing, error) {
	open := descriptors[args.Kind]
	for _, fd := range open[1 : args.Count+1] {
		if err := unix.Dup3(open[0], fd, unix.O_CLOEXEC); err != nil {
			return Nothing{}, err
		}
	}
	// Failed calls must not be counted, and neither must calls without effect.
	if err := unix.Dup3(-1, open[0], 0); !errors.Is(err, unix.EBADF) {
		return Nothing{}, fmt.Errorf("replacing by nothing: %w", err)
	}
	return Nothing{}, nil
})

// ReplaceDescriptors replaces that many other descriptors by the agent's first descriptor of a kind.
func (a *Agent) ReplaceDescriptors(kind string, count int) {
	a.t.Helper()
	replaceDescriptors.Call(a, descriptorArgs{kind, count})
}

var closeRange = Define("descriptor.range", func(args descriptorArgs) (Nothing, error) {
	const first = 5000
	for i := range args.Count {
		if err := unix.Dup3(descriptors[args.Kind][0], first+i, unix.O_CLOEXEC); err != nil {
			return Nothing{}, err
		}
	}
	return Nothing{}, unix.CloseRange(first, uint(first+args.Count-1), 0)
})

// CloseRange duplicates the agent's first descriptor of a kind that many times to unused numbers, and closes the duplicates
// with one call of close_range().
func (a *Agent) CloseRange(kind string, count int) {
	a.t.Helper()
	closeRange.Call(a, descriptorArgs{kind, count})
}

type crowdArgs struct {
	Kind, Path string
	Processes  int
}

var crowd = Define("descriptor.crowd", func(args crowdArgs) (pids []int, err error) {
	for _, fd := range descriptors[args.Kind] {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return nil, err
		}
	}
	for range args.Processes {
		cmd := exec.Cmd{Path: args.Path, Args: []string{"crowd"}, Env: []string{endEnv + "=" + never}}
		if err := cmd.Start(); err != nil {
			return pids, err
		}
		pids = append(pids, cmd.Process.Pid)
	}
	return pids, nil
})

// Crowd starts that many processes from an executable of that name. They inherit all the agent's descriptors of a kind and
// end with the test. It returns their ids.
func (a *Agent) Crowd(t testing.TB, executable, kind string, processes int) []int {
	t.Helper()
	pids := crowd.Call(a, crowdArgs{kind, Executable(t, executable), processes})
	t.Cleanup(func() {
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	})
	return pids
}

var unshare = Define("descriptor.unshare", func(args descriptorArgs) (tids [2]int, err error) {
	result := make(chan error)
	for i := range tids {
		go func() {
			runtime.LockOSThread() // the thread waits here until the process ends
			tids[i] = unix.Gettid()
			err := unix.Unshare(unix.CLONE_FILES)
			for n := 0; err == nil && n <= i*args.Count; n++ {
				_, err = openers[args.Kind]()
			}
			result <- err
			select {}
		}()
		if err := <-result; err != nil {
			return tids, err
		}
	}
	return tids, nil
})

// Unshare gives two new threads of the agent their own descriptor tables. The first opens one descriptor of a kind there, the
// second one count + 1. It returns their ids.
func (a *Agent) Unshare(kind string, count int) [2]int {
	a.t.Helper()
	return unshare.Call(a, descriptorArgs{kind, count})
}

var endFirstThread = Define("descriptor.zombie", func(Nothing) (Nothing, error) {
	_, _, errno := unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	return Nothing{}, errno
})

// EndFirstThread ends the agent's first thread and keeps the others. The agent can carry out no more operations.
func (a *Agent) EndFirstThread() {
	go func() { _, _ = endFirstThread.Try(a, Nothing{}) }()
}

// Grow describes how the number of descriptors grows.
type Grow struct {
	Kind string
	// In each of Steps, Open descriptors are opened and then Close are closed. A step begins every Every.
	Steps, Open, Close int
	Every              time.Duration
}

var grow = Define("descriptor.grow", func(g Grow) (time.Duration, error) {
	begin := time.Now()
	for i := range g.Steps {
		time.Sleep(time.Until(begin.Add(time.Duration(i+1) * g.Every)))
		if err := openMore(g.Kind, g.Open); err != nil {
			return 0, err
		}
		if err := closeSome(g.Kind, g.Close); err != nil {
			return 0, err
		}
	}
	return time.Since(begin), nil
})

// Grow opens and closes descriptors in the agent, and returns how long that took.
func (a *Agent) Grow(g Grow) time.Duration {
	a.t.Helper()
	return grow.Call(a, g)
}

// OpenDescriptorsOf returns the open descriptors of a process by ebpf.file_descriptor.kind, from /proc; those of a thread if
// thread is not 0.
func OpenDescriptorsOf(t testing.TB, pid, thread int) map[string]int {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	if thread != 0 {
		dir = filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(thread), "fd")
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	open := map[string]int{}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		target, err := os.Readlink(path)
		require.NoError(t, err)
		info, err := os.Stat(path)
		require.NoError(t, err)
		flags, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "fdinfo", entry.Name()))
		require.NoError(t, err)
		open[kindOf(t, target, info.Mode(), string(flags))]++
	}
	return open
}

func kindOf(t testing.TB, target string, mode os.FileMode, flags string) string {
	t.Helper()
	_, text, _ := strings.Cut(flags, "flags:")
	var number int
	_, err := fmt.Sscanf(text, "%o", &number)
	require.NoError(t, err)
	name, anonymous := strings.CutPrefix(target, "anon_inode:")
	switch {
	case strings.HasPrefix(target, "pidfd:") || name == "[pidfd]":
		return "pidfd"
	case anonymous && strings.HasPrefix(name, "bpf") || name == "btf":
		return "bpf"
	case anonymous:
		known := map[string]string{"[eventpoll]": "epoll", "inotify": "inotify"}
		for _, kind := range []string{"eventfd", "timerfd", "signalfd", "io_uring", "perf_event"} {
			known["["+kind+"]"] = kind
		}
		if kind := known[name]; kind != "" {
			return kind
		}
		return "other"
	case mode.IsDir():
		return "directory"
	case number&unix.O_PATH != 0:
		return "file"
	case strings.HasPrefix(target, "socket:["):
		return "socket"
	case mode&os.ModeNamedPipe != 0:
		return "pipe"
	case mode&os.ModeDevice != 0:
		return "device"
	default:
		return "file"
	}
}
