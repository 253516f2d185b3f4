// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"os"
	"path/filepath"
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
	execEvent        = "ebpf.process.exec"
	exitEvent        = "ebpf.process.exit"
	executionsMetric = "ebpf.process.executions"
	exitsMetric      = "ebpf.process.exits"
	runTimeKey       = "ebpf.process.duration"
	creationKey      = "process.creation.time"
	argumentsKey     = "process.command_args"
	withArguments    = "programs: {process: {arguments: true}}"
)

func init() {
	counts("process", forContainer{
		act: func(t *testing.T, p place) {
			p.agent.Run(traffic.Command{Path: traffic.Executable(t, "kernel-test-program"), Args: []string{"x"}})
		},
		metrics: []string{executionsMetric, exitsMetric},
	})
}

// newShell starts an agent in a container that can run programs.
func newShell(t *testing.T) (*traffic.Agent, *testhost.Cgroup) {
	t.Helper()
	container := testhost.NewContainer(t)
	shell := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.AsUser(clientUser))
	// The first time, Go starts an additional process to test the kernel's features.
	shell.Run(traffic.Command{Path: traffic.Executable(t, "kernel-test-program"), Args: []string{"first"}})
	return shell, container
}

// ran checks the exec and exit events of a program whose executable has this path.
func ran(t *testing.T, r *testreceiver.Receiver, shell *traffic.Agent, in *testhost.Cgroup, c traffic.Command, executable string, more attributes) {
	t.Helper()
	run := shell.Run(c)
	// Ignore earlier processes with the same id.
	since := func(e testreceiver.Event) bool { return !e.Time.Before(run.Start.Add(-clockTolerance)) }
	events := r.Wait(t, 2, testreceiver.Named(execEvent, exitEvent), testreceiver.OfProcess(run.PID), since)
	require.Len(t, events, 2)
	thread := filepath.Base(c.Path)
	thread = thread[:min(len(thread), 15)]
	process := attributes{
		"process.pid": int64(run.PID), "process.parent_pid": int64(shell.PID), "process.user.id": int64(shell.UID),
		"process.executable.name": filepath.Base(executable), "thread.name": thread, "process.linux.cgroup": "0::" + in.Path,
	}
	check(t, events[0], execEvent, plog.SeverityNumberInfo,
		process.with(attributes{"process.executable.path": executable, "process.args_count": argumentCount(c, more)}).with(more), creationKey)
	assert.Contains(t, events[0].Body, executable)

	severity, how := plog.SeverityNumberInfo, attributes{"process.exit.code": int64(c.End)}
	if c.End < 0 {
		severity, how = plog.SeverityNumberWarn, attributes{"ebpf.process.exit.signal": unix.SignalName(unix.Signal(-c.End))}
	}
	if _, ok := events[1].Attributes["process.executable.name"]; !ok {
		// Before Linux 6.16, the memory of a process that has ended is freed before its exit event, and with it the
		// executable.
		delete(process, "process.executable.name")
	}
	check(t, events[1], exitEvent, severity, process.with(how), runTimeKey, creationKey)
	between(t, events[1], runTimeKey, traffic.RunTime, run.End.Sub(run.Start))
	assert.GreaterOrEqual(t, seconds(t, events[1], runTimeKey), events[1].Time.Sub(events[0].Time), "the process existed before this exec")
	for _, e := range events {
		assert.Equal(t, resource(in), e.Resource)
		within(t, e, run.Start, run.End)
		checkCreation(t, e, run)
	}
	assert.Equal(t, events[0].Attributes[creationKey], events[1].Attributes[creationKey], "the creation time must be the same")
}

// argumentCount is the number of arguments that a program gets: those of the command, or those of a script's interpreter.
func argumentCount(c traffic.Command, more attributes) int64 {
	given, ok := more[argumentsKey].([]any)
	if _, cut := more["ebpf.process.arguments.truncated"]; ok && !cut {
		return int64(len(given))
	}
	return int64(len(c.Args))
}

// checkCreation compares the creation time of a process with /proc, which rounds down to clock ticks.
func checkCreation(t testing.TB, e testreceiver.Event, run traffic.Run) {
	t.Helper()
	created, err := time.Parse(time.RFC3339, e.Attributes[creationKey].(string))
	require.NoError(t, err)
	assert.Equal(t, time.UTC, created.Location())
	// The attribute has milliseconds, and the two wall clocks are read at different times.
	tolerance := testenv.Patiently(5 * time.Millisecond)
	assert.False(t, created.Before(run.Created.Add(-tolerance)), "created at %s, %s by /proc", created, run.Created)
	assert.False(t, created.After(run.Created.Add(traffic.ClockTick+tolerance)), "created at %s, %s by /proc", created, run.Created)
}

// strs returns a list of strings as the value of an attribute.
func strs(list ...string) attributes {
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = s
	}
	return attributes{argumentsKey: values}
}

// Each way in which a process ends, with every field.
func TestProcessEnds(t *testing.T) {
	testnet.Require(t)
	shell, container := newShell(t)
	r := testreceiver.Start(t, "programs: {process: {}}")
	program := traffic.Executable(t, "kernel-test-of-a-long-name")
	for _, end := range []int{0, 1, 7, 255, -int(unix.SIGKILL), -int(unix.SIGTERM), -int(unix.SIGKILL)} {
		t.Run(fmt.Sprint(end), func(t *testing.T) {
			ran(t, r, shell, container, traffic.Command{Path: program, Args: []string{"secret"}, End: end}, program, nil)
		})
	}
	m := r.Scrape(t).In(container)
	assert.Equal(t, []testreceiver.Series{{Attributes: testreceiver.Attributes{}, Value: 7}}, m.Series(executionsMetric))
	assert.ElementsMatch(t, []testreceiver.Series{
		{Attributes: testreceiver.Attributes{"ebpf.process.exit.class": "success"}, Value: 1},
		{Attributes: testreceiver.Attributes{"ebpf.process.exit.class": "failure"}, Value: 3},
		{Attributes: testreceiver.Attributes{"ebpf.process.exit.class": "signal", "ebpf.process.exit.signal": "SIGKILL"}, Value: 2},
		{Attributes: testreceiver.Attributes{"ebpf.process.exit.class": "signal", "ebpf.process.exit.signal": "SIGTERM"}, Value: 1},
	}, m.Series(exitsMetric))
}

// A process lives on without its first thread, and its exit code is not that of the first thread. The parent is a process,
// even if another of its threads called fork.
func TestProcessEndsWithoutItsFirstThread(t *testing.T) {
	testnet.Require(t)
	shell, container := newShell(t)
	r := testreceiver.Start(t, "programs: {process: {}}")
	program := traffic.Executable(t, "kernel-test-program")
	for _, end := range []int{0, 7} {
		command := traffic.Command{Path: program, Args: []string{"x"}, End: end, WithoutLeader: true}
		ran(t, r, shell.OnThread("starter"), container, command, program, nil)
	}
	m := r.Scrape(t).In(container)
	for class, n := range map[string]int{"success": 1, "failure": 1, "signal": 0} {
		assert.Equal(t, n, m.Int(exitsMetric, testreceiver.Attributes{"ebpf.process.exit.class": class}), class)
	}
}

// Arguments are the program's own, whatever its name. Arguments that are too long are cut and marked.
func TestProcessArguments(t *testing.T) {
	testnet.Require(t)
	shell, container := newShell(t)
	r := testreceiver.Start(t, withArguments)
	program := traffic.Executable(t, "kernel-test-program")
	cut := attributes{"ebpf.process.arguments.truncated": true}
	for name, tt := range map[string]struct {
		args []string
		want attributes
	}{
		"some":        {[]string{"another name", "-v", "", "a b\tc", "äöü"}, strs("another name", "-v", "", "a b\tc", "äöü")},
		"none":        {[]string{program}, strs(program)},
		"empty":       {[]string{""}, strs("")},
		"empty last":  {[]string{"x", "", ""}, strs("x", "", "")},
		"just enough": {[]string{"x", strings.Repeat("y", 1021)}, strs("x", strings.Repeat("y", 1021))},
		"too long":    {[]string{"x", strings.Repeat("y", 1022)}, strs("x", strings.Repeat("y", 1022)).with(cut)},
		"far longer":  {[]string{"x", strings.Repeat("y", 100_000), "z"}, strs("x", strings.Repeat("y", 1022)).with(cut)},
		"many":        {append([]string{"x"}, make([]string, 2000)...), strs(append([]string{"x"}, make([]string, 1022)...)...).with(cut)},
	} {
		t.Run(name, func(t *testing.T) {
			ran(t, r, shell, container, traffic.Command{Path: program, Args: tt.args}, program, tt.want)
		})
	}
}

// The argument count is that of the program, whether or not the arguments are read.
func TestProcessArgumentCount(t *testing.T) {
	testnet.Require(t)
	shell, container := newShell(t)
	r := testreceiver.Start(t, "programs: {process: {}}")
	program := traffic.Executable(t, "kernel-test-program")
	for name, command := range map[string]traffic.Command{
		"none":      {NoArgs: true}, // newer kernels give it an empty name
		"one":       {Args: []string{"x"}},
		"one empty": {Args: []string{""}},
		"two":       {Args: []string{"x", ""}},
		"many":      {Args: append([]string{"x"}, make([]string, 200)...)},
	} {
		t.Run(name, func(t *testing.T) {
			command.Path, command.EndWithArgs = program, true
			run := shell.Run(command)
			since := func(e testreceiver.Event) bool { return !e.Time.Before(run.Start.Add(-clockTolerance)) }
			e := r.Wait(t, 1, testreceiver.Named(execEvent), testreceiver.OfProcess(run.PID), inContainer(container), since)[0]
			assert.Equal(t, int64(run.ArgsCount), e.Attributes["process.args_count"])
			if !command.NoArgs {
				assert.Len(t, command.Args, run.ArgsCount)
			}
			assert.NotContains(t, e.Attributes, argumentsKey)
		})
	}
}

// A process in a PID namespace also has its id in the innermost namespace. A process of the host does not.
func TestProcessOfPIDNamespace(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {process: {}}")
	ns := testnet.NewNamespace(t)
	first := traffic.Start(t, ns, traffic.InPIDNamespace())
	program := traffic.Executable(t, "kernel-test-program")
	const vpidKey = "process.vpid"
	check := func(vpid int64, matches ...testreceiver.Match) {
		t.Helper()
		events := r.Wait(t, 2, append(matches, testreceiver.Named(execEvent, exitEvent))...)
		require.Len(t, events, 2)
		for _, e := range events {
			assert.Equal(t, vpid, e.Attributes[vpidKey], "%s", e)
		}
		assert.Equal(t, events[0].Attributes[creationKey], events[1].Attributes[creationKey])
	}
	childOf := func(parent int, since time.Time) []testreceiver.Match {
		return []testreceiver.Match{
			testreceiver.With("process.parent_pid", int64(parent)),
			testreceiver.With("thread.name", filepath.Base(program)[:15]),
			// The process before may end just then. It was made earlier.
			func(e testreceiver.Event) bool {
				text, _ := e.Attributes[creationKey].(string)
				created, err := time.Parse(time.RFC3339Nano, text)
				return err == nil && !created.Before(since.Add(-2*clockTolerance)) // it is cut to milliseconds
			},
		}
	}
	command := traffic.Command{Path: program, Args: []string{"x"}}
	// The first time, Go starts an additional process to test the kernel's features.
	first.Run(command)
	run := first.Run(command)
	require.NotEqual(t, first.PID, run.PID)
	check(int64(run.PID), childOf(first.PID, run.Start)...)

	command.InPIDNamespace = true
	run = first.Run(command)
	require.NotEqual(t, 1, run.PID, "the agent must be in another namespace")
	check(1, childOf(first.PID, run.Start)...)

	first.Exit()
	check(1, testreceiver.OfProcess(first.PID))

	shell, _ := newShell(t)
	run = shell.Run(traffic.Command{Path: program, Args: []string{"x"}})
	for _, e := range r.Wait(t, 2, testreceiver.Named(execEvent, exitEvent), testreceiver.OfProcess(run.PID), childOf(shell.PID, run.Start)[2]) {
		assert.NotContains(t, e.Attributes, vpidKey)
	}
}

// The executable of a script is its interpreter. The path is the file's real path, not the one in the call.
func TestProcessScriptsAndPaths(t *testing.T) {
	testnet.Require(t)
	shell, container := newShell(t)
	r := testreceiver.Start(t, withArguments)
	// Use a new folder, which is removed before the test runs again.
	dir := testhost.NewFolder(t)
	program := filepath.Join(dir, "kernel-test-program")
	require.NoError(t, os.Link(traffic.Executable(t, "kernel-test-program"), program))
	script := filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(script, []byte("#!"+program+" -x\n"), 0o755))
	require.NoError(t, os.Symlink(program, filepath.Join(dir, "link")))
	deep := filepath.Join(dir, strings.Repeat("d", 200), strings.Repeat("e", 200))
	require.NoError(t, os.MkdirAll(deep, 0o755))
	far := filepath.Join(deep, "program")
	require.NoError(t, os.Link(program, far))

	t.Run("script", func(t *testing.T) {
		ran(t, r, shell, container, traffic.Command{Path: script, Args: []string{"lost", "a"}}, program,
			strs(program, "-x", script, "a").with(attributes{"ebpf.process.script": script}))
	})
	t.Run("relative script", func(t *testing.T) {
		ran(t, r, shell, container, traffic.Command{Path: "./script", Dir: dir, Args: []string{"lost"}}, program,
			strs(program, "-x", "./script").with(attributes{"ebpf.process.script": "./script"}))
	})
	t.Run("relative", func(t *testing.T) {
		ran(t, r, shell, container, traffic.Command{Path: "./kernel-test-program", Dir: dir, Args: []string{"x"}}, program, strs("x"))
	})
	t.Run("link", func(t *testing.T) {
		ran(t, r, shell, container, traffic.Command{Path: filepath.Join(dir, "link"), Args: []string{"x"}}, program, strs("x"))
	})
	t.Run("long", func(t *testing.T) {
		ran(t, r, shell, container, traffic.Command{Path: far, Args: []string{"x"}}, far, strs("x"))
	})
	// As many names as fit into 512 bytes together with the folder.
	for _, names := range []int{38, 60, 200} {
		t.Run(fmt.Sprint("deep ", names), func(t *testing.T) {
			deep := filepath.Join(dir, strings.Repeat("d/", names))
			require.NoError(t, os.MkdirAll(deep, 0o755))
			deep = filepath.Join(deep, "program")
			require.NoError(t, os.Link(program, deep))
			ran(t, r, shell, container, traffic.Command{Path: deep, Args: []string{"x"}}, deep, strs("x"))
		})
	}
}

// A process ends once, with its last thread.
func TestProcessOfManyThreadsEndsOnce(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {process: {}}")
	container := testhost.NewContainer(t)
	ns := testnet.NewNamespace(t)
	const processes = 20
	for i := range processes {
		a := traffic.Start(t, ns, traffic.In(container))
		for range 5 {
			a.OnThread("short-lived").HoldMemory(0, 0, 0)
		}
		a.StartThreads(50)
		if i%2 == 0 {
			a.Kill()
		} else {
			a.Exit()
		}
		assert.Len(t, r.Wait(t, 1, testreceiver.Named(exitEvent), testreceiver.OfProcess(a.PID)), 1)
	}
	m := r.Scrape(t).In(container)
	assert.Equal(t, processes, m.Int(executionsMetric, nil))
	assert.ElementsMatch(t, []testreceiver.Series{
		{Attributes: testreceiver.Attributes{"ebpf.process.exit.class": "success"}, Value: processes / 2},
		{Attributes: testreceiver.Attributes{"ebpf.process.exit.class": "signal", "ebpf.process.exit.signal": "SIGKILL"}, Value: processes / 2},
	}, m.Series(exitsMetric))
	assert.Len(t, r.Events.Matching(testreceiver.Named(exitEvent), inContainer(container)), processes)
}

// A process with a reused id is another process, even if it executes as many programs.
func TestProcessOfAnIDThatWasUsed(t *testing.T) {
	testnet.Require(t)
	shell, container := newShell(t)
	r := testreceiver.Start(t, "programs: {process: {}}")
	command := traffic.Command{Path: traffic.Executable(t, "kernel-test-program"), Args: []string{"x"}}
	id, runs := shell.Run(command).PID, 1
	for last := 0; last != id; runs++ {
		require.Less(t, runs, 100, "other processes always get that id")
		testhost.NextPID(t, id)
		last = shell.Run(command).PID
	}
	assert.Len(t, r.Wait(t, 4, testreceiver.Named(execEvent, exitEvent), inContainer(container), testreceiver.OfProcess(id)), 4)
	m := r.Scrape(t).In(container)
	assert.Equal(t, runs, m.Int(executionsMetric, nil))
	assert.Equal(t, runs, m.Int(exitsMetric, nil))
}

// Without events, processes are counted. Excluded ones are not.
func TestProcessesThatAreLeftOut(t *testing.T) {
	testnet.Require(t)
	shell, container := newShell(t)
	// Before Linux 6.16 the executable of a process that has ended is unknown, so it cannot be excluded by it.
	exits := 3
	for _, events := range []bool{true, false} {
		r := testreceiver.Start(t, fmt.Sprintf("exclude: {executables: [kernel-test-left-out]}\nprograms: {process: {events: %t}, connection: {}}", events))
		for _, name := range []string{"kernel-test-left-out", "kernel-test-program", "kernel-test-left-out"} {
			shell.Run(traffic.Command{Path: traffic.Executable(t, name), Args: []string{"x"}})
		}
		r.Settle(t)
		executed := r.Events.Matching(testreceiver.Named(execEvent), inContainer(container))
		ended := r.Events.Matching(testreceiver.Named(exitEvent), inContainer(container))
		if events {
			require.NotEmpty(t, ended)
			if _, ok := ended[0].Attributes["process.executable.name"]; ok {
				exits = 1
			}
			assert.Len(t, executed, 1)
			assert.Len(t, ended, exits)
		} else {
			assert.Empty(t, append(executed, ended...))
		}
		m := r.Scrape(t).In(container)
		assert.Equal(t, 1, m.Int(executionsMetric, nil))
		assert.Equal(t, exits, m.Int(exitsMetric, nil))
		require.NoError(t, r.Shutdown())
	}
}

func inContainer(c *testhost.Cgroup) testreceiver.Match {
	return func(e testreceiver.Event) bool { return e.Resource["container.id"] == c.ContainerID }
}

func init() { inMasses["process"] = massesOf{settings: "{}", check: masses.checkProcess} }

func (m masses) checkProcess(t *testing.T) {
	count := m.count + 1 // the process that created them
	s := m.r.Scrape(t)
	assert.Equal(t, count, s.In(m.container).Int(exitsMetric, nil))
	assert.Equal(t, 1, s.In(m.container).Int(executionsMetric, nil))
	exits := func() int { return len(m.r.Events.Matching(testreceiver.Named(exitEvent), inContainer(m.container))) }
	require.True(t, testreceiver.Eventually(func() bool {
		all := 0
		for _, n := range lost(m.r.Scrape(t), "process") {
			all += n
		}
		return all+exits() >= count
	}), "%d events, lost %v", exits(), lost(m.r.Scrape(t), "process"))
	assert.LessOrEqual(t, exits(), count)

	program := traffic.Executable(t, "kernel-test-program")
	ran(t, m.r, m.shell, m.container, traffic.Command{Path: program, Args: []string{"x"}}, program, nil)
	after := m.r.Scrape(t).In(m.container)
	assert.Equal(t, count+1, after.Int(exitsMetric, nil))
	assert.Equal(t, 2, after.Int(executionsMetric, nil))
}
