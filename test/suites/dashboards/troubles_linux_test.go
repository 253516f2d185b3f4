// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const mebibyte = 1 << 20

// trouble makes an alert fire.
type trouble struct {
	alert string
	// make begins the trouble. It returns labels of the alert, and a function to repeat until the alert fires.
	make func(t *testing.T, s *scene) (of labels, again func())
}

// troubles run at the same time. The loss of events comes later, because the collector does not answer meanwhile.
var troubles = []trouble{
	{"EbpfConnectionsFailing", beRefused},
	{"EbpfPacketDropsAboveUsual", sendToNobody},
	{"EbpfAcceptQueueFull", acceptNothing},
	{"EbpfOOMKill", runOut},
	{"EbpfCrashLoop", crashInNewContainers},
	{"EbpfCrashLoop", failAsService},
	{"EbpfCPUStalls", stall},
	{"EbpfDiskSlow", slowDown},
	{"EbpfProgramNotAttached", removeInterface},
}

func beRefused(t *testing.T, _ *scene) (labels, func()) {
	billing, container, _ := start(t, "billing")
	return labels{"container_id": container.ContainerID, "k8s_pod_uid": container.PodUID}, func() {
		require.Equal(t, unix.ECONNREFUSED, billing.Connect(traffic.Addr(testnet.Loopback4, 5432)).Errno)
	}
}

// sendToNobody sends to a closed port at a growing rate: the rule compares with the rate of the first seconds.
func sendToNobody(t *testing.T, _ *scene) (labels, func()) {
	scanner, _, _ := start(t, "scanner")
	times := 0
	return labels{"ebpf_drop_reason": "no_socket", "network_transport": "tcp"}, func() {
		times = min(times+5, 200)
		for range times {
			scanner.Connect(traffic.Addr(testnet.Loopback4, 1))
		}
	}
}

func acceptNothing(t *testing.T, _ *scene) (labels, func()) {
	const backlog = 1
	web, container, ns := start(t, "web")
	client := traffic.Start(t, ns)
	listener := web.ListenWithBacklog(traffic.Addr(testnet.Loopback4, 8080), backlog)
	for range backlog + 1 {
		require.Zero(t, client.Connect(listener.Local).Errno)
	}
	return labels{
		"container_id": container.ContainerID, "process_executable_name": "web", "server_address": "127.0.0.1", "server_port": "8080",
	}, func() { client.StartConnect(listener.Local) }
}

func runOut(t *testing.T, _ *scene) (labels, func()) {
	container := testhost.NewContainer(t)
	limit := testhost.NewMemoryLimit(t, container, 100*mebibyte)
	cache := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.Named("cache", "cache"))
	require.NoError(t, limit.Add(cache.PID))
	require.Error(t, cache.TryHoldMemory(200*mebibyte))
	return labels{"container_id": container.ContainerID}, func() {}
}

// crashInNewContainers behaves like a kubelet with a crashing container: a new container each time, in the same pod.
func crashInNewContainers(t *testing.T, _ *scene) (labels, func()) {
	pod := testhost.NewContainer(t)
	ns := testnet.NewNamespace(t)
	return labels{"workload": pod.PodUID, "ebpf_process_exit_signal": "SIGSEGV"}, func() {
		id := make([]byte, 32)
		_, err := rand.Read(id)
		require.NoError(t, err)
		container := testhost.NewCgroupAt(t, filepath.Join(filepath.Dir(pod.Path), "cri-containerd-"+hex.EncodeToString(id)+".scope"))
		shim := traffic.Start(t, ns, traffic.In(container))
		// The runtime of Go would handle the signal.
		shim.Run(traffic.Command{Path: "/bin/sh", Args: []string{"sh", "-c", "kill -SEGV $$"}, End: -int(unix.SIGSEGV)})
		shim.Kill()
		container.Remove(t)
	}
}

func failAsService(t *testing.T, _ *scene) (labels, func()) {
	unit := fmt.Sprintf("kt-%d.service", os.Getpid())
	systemd := traffic.Start(t, testnet.NewNamespace(t), traffic.In(testhost.NewCgroupAt(t, "/system.slice/"+unit)))
	worker := traffic.Executable(t, "failing")
	return labels{"systemd_unit_name": unit, "ebpf_process_exit_class": "failure"}, func() {
		systemd.Run(traffic.Command{Path: worker, Args: []string{"failing"}, End: 3})
	}
}

func stall(t *testing.T, _ *scene) (labels, func()) {
	batch, _, _ := start(t, "batch")
	patient, container, _ := start(t, "patient")
	return labels{"container_id": container.ContainerID}, func() {
		begin := time.Now().Add(50 * time.Millisecond)
		occupied := make(chan error, 1)
		go func() { occupied <- batch.OnThread("busy").Occupy(0, begin, begin.Add(200*time.Millisecond)) }()
		patient.OnThread("waiting").WakeUp(0, begin.Add(20*time.Millisecond))
		require.NoError(t, <-occupied)
	}
}

// slowDown uses a disk on top of a limited one. The limit delays operations before the lower disk issues them, so the upper disk is
// slow.
func slowDown(t *testing.T, _ *scene) (labels, func()) {
	const size, perSecond = 64 << 10, 128 << 10
	inner := testhost.NewDisk(t, 4*mebibyte)
	outer := testhost.NewDiskOver(t, inner)
	container := testhost.NewContainer(t)
	limit := testhost.NewDiskLimit(t, container, inner, perSecond)
	backup := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.Named("backup", "backup"))
	if !limit.Charges() {
		require.NoError(t, limit.Add(backup.PID))
	}
	return labels{"system_device": outer.Name, "ebpf_disk_operation_type": "read"}, func() {
		require.Zero(t, backup.WorkDisk(outer, traffic.DiskRead, 0, size, 1).Errno)
	}
}

func removeInterface(t *testing.T, s *scene) (labels, func()) {
	require.NoError(t, s.wire.Close())
	return labels{"ebpf_program_name": "packet"}, func() {}
}

// leak opens more and more descriptors, from now on until the test ends.
func leak(t *testing.T) labels {
	api, _, _ := start(t, "api")
	stop, stopped := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-stopped })
	go func() {
		defer close(stopped)
		for every := time.NewTicker(200 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-every.C:
				assert.NoError(t, api.TryOpenDescriptors("socket", 5))
			}
		}
	}()
	return labels{"process_executable_name": "api", "process_pid": strconv.Itoa(api.PID), "ebpf_file_descriptor_kind": "socket"}
}

// loseSegments makes data for panels without an alert: retransmits, and errors of a disk.
func loseSegments(t *testing.T) {
	checkout, _, ns := start(t, "checkout")
	ns.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: 443})
	checkout.StartConnect(traffic.Addr(testnet.Loopback4, 443))
	full := testhost.NewDiskWithRoom(t, 4*mebibyte, 64<<10)
	end := time.Now().Add(6 * time.Second)
	for time.Now().Before(end) {
		checkout.StartConnect(traffic.Addr(testnet.Loopback4, 443))
		assert.NotZero(t, checkout.WorkDisk(full, traffic.DiskWrite, mebibyte, mebibyte, 1).Errno)
		time.Sleep(time.Second)
	}
}

// loseEvents stops the collector for less than a scrape interval, while more events occur than the ring buffer holds.
func loseEvents(t *testing.T, s *scene) {
	scanner, _, _ := start(t, "scanner")
	socket := scanner.OpenUDP(traffic.Addr(testnet.Loopback4, 0))
	require.NoError(t, s.collector.Signal(unix.SIGSTOP))
	defer func() { require.NoError(t, s.collector.Signal(unix.SIGCONT)) }()
	scanner.SendToPorts(socket.FD, testnet.Loopback4, 1000, 20_000)
}
