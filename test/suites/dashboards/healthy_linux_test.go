// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// healthyFor is longer than the range in which rules detect a new receiver, and than most `for` times.
const healthyFor = 14 * time.Second

// start starts an agent of that name in a container of a pod and in a new network namespace.
func start(t *testing.T, name string) (*traffic.Agent, *testhost.Cgroup, *testnet.Namespace) {
	t.Helper()
	container, ns := testhost.NewContainer(t), testnet.NewNamespace(t)
	return traffic.Start(t, ns, traffic.In(container), traffic.Named(name, name)), container, ns
}

// healthy makes the usual activity of a host: some connections are refused, and some processes fail or are killed. No alert fires.
func (s *scene) healthy(t *testing.T) {
	shop, container, ns := start(t, "shop")
	db := traffic.Start(t, ns, traffic.In(container), traffic.Named("db", "db"))
	server := db.ServeHTTP(traffic.Addr(testnet.Loopback4, 5432))
	disk, folder, worker := testhost.NewDisk(t, 1<<20), testhost.NewFolder(t), traffic.Executable(t, "worker")
	end := func(how int) {
		shop.Run(traffic.Command{Path: worker, Args: []string{filepath.Base(worker)}, End: how})
	}
	begin, pressure := time.Now(), cpuPressure(t)
	for i := 0; time.Since(begin) < healthyFor; i++ {
		shop.GetHTTP(server.Address, 5)
		end(0)
		shop.DeleteMany(folder, 1)
		shop.OpenDescriptors("socket", 20)
		shop.CloseDescriptors("socket", 20)
		shop.WorkDisk(disk, traffic.DiskWrite, 0, 4096, 1)
		shop.Make(traffic.Calls{Number: unix.SYS_OPENAT, Text: "/nonexistent", Arguments: []int{1}, Count: 1})
		if i%8 == 0 {
			require.Equal(t, unix.ECONNREFUSED, shop.Connect(traffic.Addr(testnet.Loopback4, 1)).Errno)
			end(1)
			end(-int(unix.SIGTERM))
		}
		time.Sleep(200 * time.Millisecond)
	}

	// On a busy machine, all processes wait for a CPU.
	busy := cpuPressure(t)-pressure > time.Since(begin)/2
	ours := map[string]bool{container.ContainerID: true, container.PodUID: true, disk.Name: true, "shop": true, "db": true}
	for _, fired := range s.query(t, `max_over_time(ALERTS{alertstate="firing"}[1m])`) {
		if busy && fired.Metric["alertname"] == "EbpfCPUStalls" {
			continue
		}
		if of := subject(fired.Metric); of == "" || ours[of] {
			assert.Fail(t, "an alert fired", "%v", fired.Metric)
		}
	}
}

// subject returns the unit, process or disk of an alert, which may be of the rest of the host. It is "" for alerts about the host and
// the receiver.
func subject(of labels) string {
	for _, label := range []string{"container_id", "workload", "systemd_unit_name", "process_executable_name", "system_device"} {
		if of[label] != "" {
			return of[label]
		}
	}
	switch of["alertname"] {
	case "EbpfConnectionsFailing", "EbpfOOMKill", "EbpfCrashLoop", "EbpfCPUStalls":
		return "the host"
	}
	return ""
}

// cpuPressure returns the total time in which some task of the host waited for a CPU (PSI), 0 if the kernel does not report it.
func cpuPressure(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), "total=")
	require.True(t, found, "%s", text)
	microseconds, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(t, err)
	return time.Duration(microseconds) * time.Microsecond
}
