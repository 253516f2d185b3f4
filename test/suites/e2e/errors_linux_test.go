// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// The error for a wrong configuration lists all wrong keys at once, each with the fault and the remedy.
func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		receiver string
		want     []string
	}{
		"unknown program":  {"{programs: {connections: }}", []string{"programs::connections", "connection, packet_drop"}},
		"unknown key":      {"{ring_size: 8MiB}", []string{"ring_size", "ring_buffer_size"}},
		"unknown protocol": {"{programs: {connection: {protocols: [sctp]}}}", []string{"protocols::0", `"sctp"`, "tcp, udp, unix"}},
		"ring size":        {"{ring_buffer_size: 5MiB}", []string{"ring_buffer_size", "not a power of two", "4MiB and 8MiB"}},
		"event limit":      {"{programs: {packet_drop: {event_limit: -5}}}", []string{"event_limit", "-5"}},
		"CIDR":             {"{exclude: {cidrs: [10.0.0.0/33]}}", []string{"exclude::cidrs::0", "10.0.0.0/33"}},
		"port":             {"{exclude: {ports: [70000]}}", []string{"exclude::ports::0", "70000"}},
		"all at once": {
			"{ring_buffer_size: 1, histogram: none, exclude: {ports: [0]}, events: {flush_interval: 1h}, programs: {packet_drop: {event_limit: 0}}}",
			[]string{"ring_buffer_size", "histogram", "exclude::ports::0", "flush_interval", "event_limit"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := validate(t, tt.receiver)
			require.Error(t, err, "the configuration is taken: %s", output)
			for _, want := range tt.want {
				assert.Contains(t, output, want)
			}
		})
	}
	output, err := validate(t, "{ring_buffer_size: 4MiB}")
	require.NoError(t, err, output)
}

// validate has the collector look at the repository's configuration with these settings of the receiver.
func validate(t *testing.T, receiver string) (output string, err error) {
	t.Helper()
	cmd := exec.Command(testenv.Collector(t), "validate", "--config", testenv.Repository(t, "config.yaml"),
		"--config", "yaml:receivers: {ebpf: "+receiver+"}")
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// A collector without the capabilities that it needs does not start. It names them, and says how to grant them.
func TestStartWithoutCapabilities(t *testing.T) {
	testenv.RequireKernel(t)
	s := newSetup(t)
	cmd := collector.Command(testenv.Collector(t), testenv.Repository(t, "config.yaml"), s.override())
	c, err := collector.Run(restricted(t, cmd, restrict.Restriction{
		Drop: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON},
	}))
	require.NoError(t, err)
	require.Error(t, c.Wait())
	for _, want := range []string{"CAP_BPF", "CAP_PERFMON", "missing", "setcap", "AmbientCapabilities", "securityContext"} {
		assert.Contains(t, c.Log(), want)
	}
}

// If a program lacks a file system, the collector does not start, and says how to mount it.
func TestStartWithoutTracefs(t *testing.T) {
	testenv.RequireKernel(t)
	s := newSetup(t)
	cmd := collector.Command(testenv.Collector(t), testenv.Repository(t, "config.yaml"), s.override(),
		"yaml:receivers: {ebpf: {programs: {connection: {protocols: [unix]}}}}")
	c, err := collector.Run(restricted(t, cmd, restrict.Restriction{Unmount: []string{"tracefs"}}))
	require.NoError(t, err)
	require.Error(t, c.Wait())
	assert.Contains(t, c.Log(), "program connection: no tracefs is mounted: `mount -t tracefs tracefs /sys/kernel/tracing`")
}
