// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// everything is a receiver with all programs that run with default settings. None of them needs tracefs.
var everything = "{programs: " + programs.Defaults() + "}"

// contained restricts root as in a container: with new namespaces (the PID namespace is added elsewhere), only the documented
// capabilities, and additional mounts.
func contained(namespaces int, more ...restrict.Mount) restrict.Restriction {
	return restrict.Restriction{
		Unshare: unix.CLONE_NEWNS | namespaces,
		Mount:   append([]restrict.Mount{{Type: "proc", At: "/proc"}}, more...),
		Drop:    restrict.AllBut(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN, unix.CAP_SYSLOG),
	}
}

// startIn starts the collector in a container's cgroup and in a new PID namespace.
func (tr *trial) startIn(t *testing.T, own *testhost.Cgroup) *collector.Collector {
	t.Helper()
	tr.cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID
	tr.cmd.SysProcAttr.UseCgroupFD, tr.cmd.SysProcAttr.CgroupFD = true, own.FD()
	return tr.start(t)
}

// In namespaces, the collector reports what happens outside of them with the host's process ids, containers (older and
// younger than it) and network namespaces. It logs what it cannot see.
func TestInContainer(t *testing.T) {
	older, own := testhost.NewDockerContainer(t), testhost.NewDockerContainer(t)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()

	tr := newTrial(t, everything, contained(unix.CLONE_NEWCGROUP|unix.CLONE_NEWNET))
	c := tr.startIn(t, own)
	assert.NotContains(t, c.Log(), "cgroup2 hierarchy", "the hierarchy is complete")
	provoke.Container(t, tr.events, older)
	provoke.Container(t, tr.events, testhost.NewDockerContainer(t))
	provoke.Datagram(t, tr.events)
	provoke.Drop(t, tr.events)

	client, err := net.Dial("tcp4", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	var netns unix.Stat_t
	require.NoError(t, unix.Stat("/proc/self/ns/net", &netns))
	mine := map[string]any{"client.port": provoke.Port(client.LocalAddr()), "ebpf.network.namespace": int64(netns.Ino)}
	connect := tr.events.Await(t, 1, "ebpf.connection.connect", mine)[0]
	assert.Equal(t, int64(os.Getpid()), connect.Attributes["process.pid"])

	// The listener is older than the collector, and not in its PID namespace.
	assert.Contains(t, c.Log(), "hostPID: true")
	accept := tr.events.Await(t, 1, "ebpf.connection.accept", mine)[0]
	assert.NotContains(t, accept.Attributes, "process.pid")
	assert.NoError(t, c.Stop())
}

// In a cgroup namespace, a cgroup2 file system shows only a part of the hierarchy as if it were all. The collector logs that,
// and uses the host's cgroup2 file system if that is mounted, too.
func TestPartOfTheCgroupHierarchy(t *testing.T) {
	older, own := testhost.NewDockerContainer(t), testhost.NewDockerContainer(t)
	usual := cgroupMount(t)
	elsewhere := t.TempDir()
	whole := restrict.Mount{Source: usual, At: elsewhere, ReadOnly: true}
	// The kernel does not mount a file system over itself, so cover it first.
	cover := restrict.Mount{Source: t.TempDir(), At: usual}
	part := restrict.Mount{Type: "cgroup2", At: usual}

	tr := newTrial(t, everything, contained(unix.CLONE_NEWCGROUP, cover, part))
	c := tr.startIn(t, own)
	assert.Contains(t, c.Log(), fmt.Sprintf("the cgroup2 hierarchy at %s is a part of the host's", usual))
	assert.Contains(t, c.Log(), "--cgroupns=host")
	c.Kill()

	tr = newTrial(t, everything, contained(unix.CLONE_NEWCGROUP, whole, cover, part))
	c = tr.startIn(t, own)
	assert.NotContains(t, c.Log(), "cgroup2 hierarchy")
	provoke.Container(t, tr.events, older)
	provoke.Datagram(t, tr.events)
	assert.NoError(t, c.Stop())
}

// cgroupMount returns where the cgroup2 hierarchy is mounted.
func cgroupMount(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	testenv.Missing(t, "no cgroup2 hierarchy is mounted")
	return ""
}

// The collector knows its own process by the host's process id, even in a PID namespace, and excludes itself if configured.
func TestItselfInContainer(t *testing.T) {
	// The exporter's connection is refused once per second.
	const refused = `yaml:
exporters: {otlp_http: {endpoint: "http://127.0.0.1:1", sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}}
service: {pipelines: {metrics: {exporters: [otlp_http]}}}
`
	for name, tt := range map[string]struct {
		receiver string
		seen     bool
	}{
		"left out": {"{collection_interval: 1s, programs: {connection: }}", false},
		"seen":     {"{collection_interval: 1s, exclude: {self: false}, programs: {connection: }}", true},
	} {
		t.Run(name, func(t *testing.T) {
			own := testhost.NewDockerContainer(t)
			tr := newTrial(t, tt.receiver, contained(unix.CLONE_NEWCGROUP), refused)
			c := tr.startIn(t, own)
			itself := map[string]any{"error.type": "refused", "process.pid": int64(c.PID())}
			tries := func() int { return strings.Count(c.Log(), "connection refused") }
			require.Eventually(t, func() bool { return tries() >= 2 }, provoke.Patience, 100*time.Millisecond, c.Log())
			// Events are in order: when the event of this later connection is there, the exporter's would be there, too.
			_, err := net.Dial("tcp4", "127.0.0.1:1")
			require.ErrorIs(t, err, unix.ECONNREFUSED)
			tr.events.Await(t, 1, "ebpf.connection.connect", map[string]any{"error.type": "refused", "process.pid": int64(os.Getpid())})
			found := tr.events.Matching(t, nil, "ebpf.connection.connect", itself)
			if !tt.seen {
				assert.Empty(t, found)
				return
			}
			require.NotEmpty(t, found)
			assert.Equal(t, own.ContainerID, found[0].Resource["container.id"])
		})
	}
}
