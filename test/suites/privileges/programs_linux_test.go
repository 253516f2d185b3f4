// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// capability is a capability by its number in the kernel.
type capability uintptr

// capabilities are the columns of docs/privileges.md's table: those that programs may need.
var capabilities = []capability{
	unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN, unix.CAP_SYSLOG, unix.CAP_DAC_READ_SEARCH, unix.CAP_SYS_PTRACE,
}

func (c capability) String() string {
	return map[capability]string{
		unix.CAP_BPF:             "CAP_BPF",
		unix.CAP_PERFMON:         "CAP_PERFMON",
		unix.CAP_NET_ADMIN:       "CAP_NET_ADMIN",
		unix.CAP_SYSLOG:          "CAP_SYSLOG",
		unix.CAP_DAC_READ_SEARCH: "CAP_DAC_READ_SEARCH",
		unix.CAP_SYS_PTRACE:      "CAP_SYS_PTRACE",
	}[c]
}

// use is one way to use a program, and a row of docs/privileges.md's table.
type use struct {
	// title is what the row begins with.
	title string
	// program is the program's key, and settings are what is below it.
	program, settings string
	// needs are the capabilities without which the program does not start.
	needs []capability
	// serves are capabilities that it goes on without, and the attribute that its events then lack.
	serves map[capability]string
	// provoke makes traffic, and returns an event of it.
	provoke func(*testing.T, *trial) collector.Event
}

// uses are all programs, each in the ways that need different capabilities.
var uses = []use{
	{
		title: "`connection`", program: "connection", settings: "{protocols: [tcp, udp]}",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN},
		provoke: provokeConnections,
	},
	{
		title: "`connection` with `protocols: [tcp]`", program: "connection", settings: "{protocols: [tcp]}",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON},
		provoke: provokeRefusal,
	},
	{
		title: "`connection` with `unix` in `protocols`", program: "connection", settings: "{protocols: [tcp, udp, unix]}",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN, unix.CAP_DAC_READ_SEARCH},
		provoke: provokeUnixConnection,
	},
	{
		title: "`packet_drop`", program: "packet_drop",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN},
		serves:  map[capability]string{unix.CAP_SYSLOG: "ebpf.drop.location"},
		provoke: provokeDrop,
	},
	{
		title: "`oom`", program: "oom",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON},
		provoke: provokeKill,
	},
	{
		title: "`process`", program: "process",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON},
		provoke: provokeExecution,
	},
	{
		title: "`tcp`", program: "tcp",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN},
		provoke: provokeReset,
	},
	{
		title: "`runqueue`", program: "runqueue", settings: "{threshold: 1us}",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON},
		provoke: provokeWait,
	},
	{
		title: "`file_descriptor`", program: "file_descriptor", settings: "{processes: 10000, leak_intervals: 2}",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON},
		provoke: provokeLeak,
	},
	{
		title: "`syscall`", program: "syscall", settings: "{waiting: true, syscalls: [clock_nanosleep]}",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON},
		provoke: provokeSleep,
	},
	{
		title: "`packet`", program: "packet", settings: `{interfaces: ["private*"], sample_every: 1}`,
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN},
		provoke: provokePacket,
	},
	{
		title: "`file`", program: "file", settings: "{opens: {paths: [/tmp]}}",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON},
		provoke: provokeDeletion,
	},
	{
		title: "`disk_io`", program: "disk_io", settings: "{threshold: 1us}",
		needs:   []capability{unix.CAP_BPF, unix.CAP_PERFMON},
		provoke: provokeOperation,
	},
}

// packetInterface receives what provokePacket sends.
const packetInterface = "private0"

// receiver returns the receiver's settings.
func (u *use) receiver() string {
	return "{collection_interval: 500ms, programs: {" + u.program + ": " + u.settings + "}}"
}

// documented are the capabilities that the row lists.
func (u *use) documented() (set []capability) {
	for _, c := range capabilities {
		if u.serves[c] != "" || slices.Contains(u.needs, c) {
			set = append(set, c)
		}
	}
	return set
}

func provokeConnections(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	tr.seesContainer(t, testhost.NewDockerContainer(t))
	tr.seesDatagram(t)
	return provokeRefusal(t, tr)
}

func provokeRefusal(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	_, err := net.Dial("tcp4", "127.0.0.1:1")
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	refused := tr.await(t, 1, "ebpf.connection.connect", map[string]any{"error.type": "refused", "process.pid": int64(os.Getpid())})[0]
	assert.Equal(t, "socket", refused.Attributes["ebpf.attribution"])
	return refused
}

func provokeUnixConnection(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	path := filepath.Join(publicDir(t), "socket")
	_, err := net.Dial("unix", path)
	require.ErrorIs(t, err, os.ErrNotExist)
	return tr.await(t, 1, "ebpf.connection.connect", map[string]any{"network.transport": "unix", "server.address": path, "process.pid": int64(os.Getpid())})[0]
}

// provokeReset connects to a port that nobody listens at.
func provokeReset(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	_, err := net.Dial("tcp4", "127.0.0.1:1")
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	return tr.await(t, 1, "ebpf.tcp.reset", map[string]any{
		"network.io.direction": "receive", "server.port": int64(1), "process.pid": int64(os.Getpid()), "ebpf.attribution": "socket",
	})[0]
}

// provokeOperation reads from a disk.
func provokeOperation(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	disk, err := testhost.MakeDisk(1 << 20)
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	defer func() { require.NoError(t, disk.Close()) }()
	require.NoError(t, traffic.DiskRead.Do(disk.Path, 0, 4096))
	return tr.await(t, 1, "ebpf.disk.slow_operation", map[string]any{
		"system.device": disk.Name, "ebpf.disk.operation.type": "read", "process.pid": int64(os.Getpid()), "ebpf.attribution": "current",
	})[0]
}

// provokeWait sleeps until it has waited for a CPU, and that was told, which it does each time that it wakes up.
func provokeWait(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	var waits []collector.Event
	require.Eventually(t, func() bool {
		waits = tr.matching(t, nil, "ebpf.runqueue.stall", map[string]any{"process.pid": int64(os.Getpid())})
		return len(waits) > 0
	}, patience, 50*time.Millisecond, "no wait of this process")
	return waits[0]
}

// provokeDrop sends more to a socket than it has room for.
func provokeDrop(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	receiver, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer receiver.Close()
	require.NoError(t, receiver.SetReadBuffer(1)) // the kernel makes it its least
	sender, err := net.DialUDP("udp4", nil, receiver.LocalAddr().(*net.UDPAddr))
	require.NoError(t, err)
	defer sender.Close()
	const sent = 20
	for range sent {
		_, err := sender.Write([]byte("datagram"))
		require.NoError(t, err)
	}
	// Over loopback a datagram is there, or dropped, before the call that sends it returns.
	received := 0
	require.NoError(t, receiver.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	for buffer := make([]byte, 16); err == nil; received++ {
		_, err = receiver.Read(buffer)
	}
	received--
	require.Less(t, received, sent, "nothing was dropped")
	return tr.await(t, sent-received, "ebpf.packet.drop", map[string]any{
		"source.port": int64(sender.LocalAddr().(*net.UDPAddr).Port), "process.pid": int64(os.Getpid()), "ebpf.attribution": "receiving_socket",
	})[0]
}

// provokePacket makes an interface while the collector runs, which is to find it, and has it receive a packet.
func provokePacket(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	wire, err := testnet.MakeWire(packetInterface)
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	defer func() { require.NoError(t, wire.Close()) }()
	tr.await(t, 1, "ebpf.program.state", map[string]any{
		"ebpf.program.name": "packet", "ebpf.program.state": "attached", "ebpf.program.hook": "xdp/" + packetInterface + " native",
	})
	frame := make([]byte, 60)
	frame[12], frame[13] = 0x88, 0xb5 // for experiments (IEEE 802)
	require.NoError(t, wire.Put(frame))
	sample := map[string]any{"network.interface.name": packetInterface, "ebpf.packet.size": int64(46)}
	return tr.await(t, 1, "ebpf.packet.sample", sample)[0]
}

// provokeKill has the kernel kill a process that wants more memory than it may have.
func provokeKill(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	limit, err := testhost.MakeMemoryLimit("privileges-test-"+strconv.Itoa(os.Getpid()), 16<<20)
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	defer func() { require.NoError(t, limit.Close()) }()
	greedy := exec.Command("sh", "-c", "read go && exec tail /dev/zero")
	in, err := greedy.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, greedy.Start())
	require.NoError(t, limit.Add(greedy.Process.Pid))
	_, err = in.Write([]byte("go\n"))
	require.NoError(t, err)
	require.ErrorContains(t, greedy.Wait(), "killed")
	return tr.await(t, 1, "ebpf.oom.kill", map[string]any{
		"process.pid": int64(greedy.Process.Pid), "process.executable.name": "tail",
	})[0]
}

// provokeExecution executes a program.
func provokeExecution(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	cmd := exec.Command("true")
	require.NoError(t, cmd.Run())
	process := map[string]any{"process.pid": int64(cmd.Process.Pid), "process.parent_pid": int64(os.Getpid())}
	tr.await(t, 1, "ebpf.process.exit", process)
	return tr.await(t, 1, "ebpf.process.exec", process)[0]
}

// provokeLeak opens more and more pipes, which is a leak after the third time that they are looked at.
func provokeLeak(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	done := make(chan struct{})
	var (
		opening sync.WaitGroup
		pipes   []*os.File
	)
	opening.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
			r, w, err := os.Pipe()
			if !assert.NoError(t, err) {
				return
			}
			pipes = append(pipes, r, w)
		}
	})
	defer func() {
		close(done)
		opening.Wait()
		for _, end := range pipes {
			require.NoError(t, end.Close())
		}
	}()
	return tr.await(t, 1, "ebpf.file_descriptor.leak", map[string]any{"process.pid": int64(os.Getpid()), "ebpf.file_descriptor.kind": "pipe"})[0]
}

// provokeSleep sleeps longer than most.
func provokeSleep(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	cmd := exec.Command("sleep", "0.2")
	require.NoError(t, cmd.Run())
	return tr.await(t, 1, "ebpf.syscall.slow", map[string]any{"process.pid": int64(cmd.Process.Pid)})[0]
}

// provokeDeletion makes a file and deletes it.
func provokeDeletion(t *testing.T, tr *trial) collector.Event {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Remove(path))
	file := map[string]any{"file.path": path, "process.pid": int64(os.Getpid())}
	tr.await(t, 1, "ebpf.file.open", file)
	return tr.await(t, 1, "ebpf.file.delete", file)[0]
}

// self is the name of this executable, and so of the processes that make the load, as the kernel half keeps it.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	name := filepath.Base(path)
	return name[:min(len(name), 47)]
}

// Every program of the collector is in the table.
func TestEveryProgramIsListed(t *testing.T) {
	log := newTrial(t, "{programs: {none: }}", restrictedTo()).fail(t)
	known := regexp.MustCompile(`there is no such program; the programs are ([a-z_, ]+)`).FindStringSubmatch(log)
	require.NotNil(t, known, log)
	var listed []string
	for _, u := range uses {
		if !slices.Contains(listed, u.program) {
			listed = append(listed, u.program)
		}
	}
	assert.ElementsMatch(t, strings.Split(known[1], ", "), listed)
}
