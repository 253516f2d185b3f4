// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package usecases

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const mebibyte = 1 << 20

// times is how often a scenario repeats its operation after the first time. The increase of a counter does not include the
// first time.
const times = 5

// scenarios are in the order of the page.
var scenarios = []scenario{
	{title: "Which service is refused by the database?", act: refuse},
	{title: "Why can a service not connect?", act: dropSYNs},
	{title: "Which name look-ups fail or are slow, and who asks?", act: failLookups},
	{title: "Who drops packets, and why?", act: overflow},
	{title: "What was killed for lack of memory, and who asked for it?", act: runOut},
	// The page's five minutes are some seconds here.
	{title: "What changed in the last five minutes?", own: map[string]string{"5m": "20s", "now - 300": "now - 20"}, act: change},
	{title: "Which process crashes again and again?", act: crash},
	{title: "Who deletes files below a path?", prepare: dataFolder, act: deleteFiles},
	{title: "Which process leaks descriptors?", own: map[string]string{"leak_intervals: 30": "leak_intervals: 3"}, act: leak},
	// Disks of the test machine are not slow, so all disk operations of the host are events.
	{
		title: "Which disk is slow, and whose operations wait?",
		own:   map[string]string{"threshold: 50ms": "threshold: 1us\n        event_limit: 1000000"}, act: useDisk,
	},
	{title: "Which system call fails, and for whom?", own: map[string]string{"threshold: 1ms": "threshold: 10us"}, act: failCalls},
	{title: "Which peers lose our packets?", act: loseSegments},
	{title: "Who waits for a CPU?", act: stall},
	{title: "Is anything lost, and does every program run?", act: exceedLimit},
}

// start starts an agent of that name in a new container and a new network namespace.
func start(t *testing.T, name string) (*traffic.Agent, *testhost.Cgroup, *testnet.Namespace) {
	t.Helper()
	container, ns := testhost.NewContainer(t), testnet.NewNamespace(t)
	return traffic.Start(t, ns, traffic.In(container), traffic.Named(name, name)), container, ns
}

// repeat performs an operation once, so that its series exists, and then as often as the increase counts.
func repeat(do func()) {
	do()
	time.Sleep(4 * time.Second) // both the collection and the scrape interval are one second
	for range times {
		do()
	}
}

// increased is the range of PromQL's increase(), which extrapolates beyond the first and the last scrape.
var increased = fmt.Sprintf("%d..%d", times, 2*times)

// counted is the total number of operations of repeat.
var counted = strconv.Itoa(times + 1)

func refuse(t *testing.T) answers {
	billing, container, _ := start(t, "billing")
	database := traffic.Addr(testnet.Loopback4, 5432)
	repeat(func() { require.Equal(t, unix.ECONNREFUSED, billing.Connect(database).Errno) })
	found := row{"process.executable.name": "billing", "server.address": "127.0.0.1", "failures": counted}
	return answers{
		promql: row{"container_id": container.ContainerID, "error_type": "refused", valueKey: increased},
		logsql: found, jq: found,
	}
}

// dropSYNs has a firewall drop what a service sends to its database. The service gives up each time.
func dropSYNs(t *testing.T) answers {
	orders, container, ns := start(t, "orders")
	database := traffic.Addr(testnet.Loopback4, 5433)
	rule := ns.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_TCP, Port: database.Port()})
	tried := 0
	repeat(func() {
		c := orders.StartConnect(database)
		tried++
		require.Eventually(t, func() bool { return rule.Packets(t) >= tried }, time.Second, time.Millisecond)
		orders.Close(c.FD)
	})
	found := row{
		"process.executable.name": "orders", "server.address": "127.0.0.1", "server.port": "5433",
		"ebpf.drop.reason": "netfilter_drop", "ebpf.drop.location": "nft_do_chain", "failures": counted,
	}
	return answers{
		promql: row{
			"container_id": container.ContainerID, "error_type": "aborted", "ebpf_connection_cause": "local_drop", valueKey: increased,
		},
		logsql: found, jq: found,
	}
}

// failLookups has a name server fail after a pause. The pause is the shortest time that a look-up takes.
func failLookups(t *testing.T) answers {
	const pause = 20 * time.Millisecond
	mailer, container, ns := start(t, "mailer")
	server := traffic.Addr(testnet.Loopback4, 53)
	serveFailures(t, ns, server, pause)
	socket := mailer.OpenUDP(traffic.Addr(testnet.Loopback4, 0))
	id := uint16(0)
	repeat(func() {
		id++
		query := new(dns.Msg).SetQuestion("mx.example.test.", dns.TypeA)
		query.Id = id
		raw, err := query.Pack()
		require.NoError(t, err)
		mailer.SendMessages(socket.FD, server, raw)
		mailer.ReceiveMessages(socket.FD, 1)
	})
	found := row{
		"process.executable.name": "mailer", "dns.question.name": "mx.example.test", "server.address": "127.0.0.1",
		"error.type": "servfail", "lookups": counted, "longest": fmt.Sprintf("%v..10", pause.Seconds()),
	}
	return answers{
		promql: row{"container_id": container.ContainerID, "error_type": "servfail", valueKey: increased},
		logsql: found, jq: found,
	}
}

// serveFailures answers each query with SERVFAIL, until the end of the test.
func serveFailures(t *testing.T, ns *testnet.Namespace, address netip.AddrPort, pause time.Duration) {
	t.Helper()
	var server net.PacketConn
	require.NoError(t, ns.Run(func() (err error) {
		server, err = net.ListenPacket("udp", address.String())
		return err
	}))
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			var query dns.Msg
			if query.Unpack(buffer[:n]) != nil {
				continue
			}
			if answer, err := new(dns.Msg).SetRcode(&query, dns.RcodeServerFailure).Pack(); err == nil {
				time.Sleep(pause)
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
}

func overflow(t *testing.T) answers {
	statsd, container, ns := start(t, "statsd")
	app := traffic.Start(t, ns, traffic.In(container), traffic.Named("app", "app"))
	port := traffic.Addr(testnet.Loopback4, 8125)
	server, client := statsd.OpenUDP(port), app.OpenUDP(traffic.Addr(testnet.Loopback4, 0))
	statsd.SetOption(server.FD, unix.SOL_SOCKET, unix.SO_RCVBUF, 0) // the minimum
	sent := 0
	repeat(func() { sent += app.SendMany(client.FD, port, 64, 20).Count })
	lost := sent - statsd.ReadDatagrams(server.FD)
	require.Positive(t, lost)
	found := row{"process.executable.name": "statsd", "ebpf.drop.reason": "socket_rcvbuff", "drops": strconv.Itoa(lost)}
	return answers{
		promql: row{"ebpf_drop_reason": "socket_rcvbuff", "network_transport": "udp", valueKey: fmt.Sprintf("%d..", times*20)},
		logsql: found, jq: found,
	}
}

func runOut(t *testing.T) answers {
	container, ns := testhost.NewContainer(t), testnet.NewNamespace(t)
	limit := testhost.NewMemoryLimit(t, container, 200*mebibyte)
	cache := traffic.Start(t, ns, traffic.In(container), traffic.Named("cache", "cache"))
	importer := traffic.Start(t, ns, traffic.In(container), traffic.Named("importer", "importer"))
	require.NoError(t, limit.Add(cache.PID))
	require.NoError(t, limit.Add(importer.PID))
	held := cache.HoldMemory(150*mebibyte, 0, 900)
	_ = importer.TryHoldMemory(80 * mebibyte)
	kills, err := limit.Kills()
	require.NoError(t, err)
	found := row{
		"container.id": container.ContainerID, "process.executable.name": "cache", "process.pid": strconv.Itoa(cache.PID),
		"ebpf.oom.memory.anonymous":        fmt.Sprintf("%d..%d", held.Anonymous-2*mebibyte, held.Anonymous+2*mebibyte),
		"ebpf.oom.trigger.executable.name": "importer",
	}
	return answers{promql: row{"container_id": container.ContainerID, valueKey: strconv.Itoa(kills)}, logsql: found, jq: found}
}

func change(t *testing.T) answers {
	shell, _, _ := start(t, "shell")
	known, unknown := traffic.Executable(t, "known"), traffic.Executable(t, "unknown")
	execute := func(path string) { shell.Run(traffic.Command{Path: path, Args: []string{filepath.Base(path)}}) }
	execute(known)
	time.Sleep(22 * time.Second)
	execute(known)
	for range times {
		execute(unknown)
	}
	found := row{"process.executable.path": unknown, "executions": strconv.Itoa(times)}
	return answers{
		promql: row{valueKey: "0.05.."}, logsql: found, jq: found,
		without: row{"process.executable.path": known},
	}
}

func crash(t *testing.T) answers {
	supervisor, container, _ := start(t, "supervisor")
	worker := traffic.Executable(t, "worker")
	repeat(func() {
		supervisor.Run(traffic.Command{Path: worker, Args: []string{"worker"}, End: -int(unix.SIGKILL)})
	})
	found := row{"thread.name": "worker", "ebpf.process.exit.signal": "SIGKILL", "crashes": counted}
	return answers{
		promql: row{"container_id": container.ContainerID, "ebpf_process_exit_signal": "SIGKILL", valueKey: increased},
		logsql: found, jq: found,
	}
}

// data replaces /srv/data.
var data string

func dataFolder(t *testing.T) map[string]string {
	data = testhost.NewFolder(t)
	return map[string]string{"/srv/data": data}
}

func deleteFiles(t *testing.T) answers {
	cleanup, container, _ := start(t, "cleanup")
	repeat(func() { cleanup.DeleteMany(data, 1) })
	found := row{"process.executable.name": "cleanup", "process.user.id": "0", "files": counted}
	return answers{
		promql: row{"container_id": container.ContainerID, "ebpf_file_deletion_kind": "unlink", valueKey: increased},
		logsql: found, jq: found,
	}
}

func leak(t *testing.T) answers {
	api, _, _ := start(t, "api")
	begin := time.Now()
	for time.Since(begin) < 10*time.Second {
		api.OpenDescriptors("socket", 1)
		time.Sleep(300 * time.Millisecond)
	}
	pid := strconv.Itoa(api.PID)
	found := row{"process.executable.name": "api", "process.pid": pid, "ebpf.file_descriptor.kind": "socket", "ebpf.file_descriptor.count": "5.."}
	return answers{
		promql: row{"process_executable_name": "api", "process_pid": pid, "ebpf_file_descriptor_kind": "socket", valueKey: "5.."},
		logsql: found, jq: found,
	}
}

func useDisk(t *testing.T) answers {
	disk := testhost.NewDisk(t, 4*mebibyte)
	postgres, _, _ := start(t, "postgres")
	repeat(func() { postgres.WorkDisk(disk, traffic.DiskWrite, 0, 8192, 1) })
	found := row{
		"system.device": disk.Name, "ebpf.disk.operation.type": "write", "process.executable.name": "postgres", "operations": counted,
		"longest": "0.000001..10",
	}
	return answers{
		promql: row{"system_device": disk.Name, "ebpf_disk_operation_type": "write", valueKey: "0..10"},
		logsql: found, jq: found,
	}
}

func failCalls(t *testing.T) answers {
	disk := testhost.NewDisk(t, 4*mebibyte)
	api, _, _ := start(t, "api")
	repeat(func() {
		made := api.Make(traffic.Calls{Number: unix.SYS_OPENAT, Text: "/nonexistent", Arguments: []int{1}, Count: 1})
		assert.Equal(t, unix.ENOENT, made.Errno)
		api.WorkDisk(disk, traffic.DiskWrite, 0, 8192, 1)
	})
	found := row{"process.executable.name": "api", "ebpf.syscall.name": "pwrite64", "calls": counted, "longest": "0.00001..10"}
	return answers{
		promql: row{"ebpf_syscall_name": "openat", "error_type": "enoent", valueKey: increased},
		logsql: found, jq: found,
	}
}

func loseSegments(t *testing.T) answers {
	checkout, container, ns := start(t, "checkout")
	ns.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: 443})
	payment := netip.AddrPortFrom(testnet.Loopback4, 443)
	// Each retransmits its SYN after one second, and again two seconds later.
	repeat(func() { checkout.StartConnect(payment) })
	time.Sleep(2 * time.Second)
	found := row{
		"process.executable.name": "checkout", "server.address": "127.0.0.1", "server.port": "443",
		"ebpf.tcp.retransmit.type": "syn", "segments": counted + "..",
	}
	return answers{
		promql: row{"container_id": container.ContainerID, "ebpf_tcp_retransmit_type": "syn", valueKey: fmt.Sprintf("%d..", times)},
		logsql: found, jq: found,
	}
}

func stall(t *testing.T) answers {
	batch, _, _ := start(t, "batch")
	web, container, _ := start(t, "web")
	const length = 300 * time.Millisecond
	occupied := make(chan error, 1)
	repeat(func() {
		begin := time.Now().Add(100 * time.Millisecond)
		go func() { occupied <- batch.OnThread("busy").Occupy(0, begin, begin.Add(length)) }()
		web.OnThread("waiting").WakeUp(0, begin.Add(50*time.Millisecond))
		require.NoError(t, <-occupied)
	})
	found := row{"process.executable.name": "web", "container.id": container.ContainerID, "stalls": counted + "..", "longest": "0.2..10"}
	return answers{
		// Long waits are a small part of all waits.
		promql: row{"container_id": container.ContainerID, valueKey: "0.01..10"},
		logsql: found, jq: found,
	}
}

func exceedLimit(t *testing.T) answers {
	builder, _, _ := start(t, "builder")
	time.Sleep(2 * time.Second)
	builder.Fork(500)
	found := row{"ebpf.program.name": "process", "ebpf.program.state": "attached"}
	return answers{
		promql: row{"ebpf_program_name": "process", "ebpf_loss_cause": "rate_limit", valueKey: "100.."},
		logsql: found, jq: found,
	}
}
