// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// Every program, with all that it can be told to do, finds its hooks. What is logged is where the table of kernels has
// the hooks from.
func TestHooks(t *testing.T) {
	testnet.Require(t)
	testhost.MountTracefs(t)
	w := testnet.NewWire(t, testnet.NewNamespace(t), "hook")
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp, udp, unix]}, packet_drop: {}, oom: {}, process: {}, tcp: {}, file_descriptor: {}, file: {opens: {paths: [/etc]}}, syscall: {}, disk_io: {}, packet: {interfaces: ["+w.Device+"]}, runqueue: {}}")
	r.Settle(t)
	for _, name := range []string{"connection", "packet_drop", "oom", "process", "tcp", "file_descriptor", "file", "syscall", "packet", "disk_io", "runqueue"} {
		attached := r.Events.Matching(testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", name), testreceiver.With("ebpf.program.state", "attached"))
		require.NotEmpty(t, attached, "program %s is attached nowhere", name)
		for _, e := range attached {
			hook := strings.ReplaceAll(e.Attributes["ebpf.program.hook"].(string), w.Device, "veth")
			t.Logf("program %s is attached to %s", name, hook)
		}
	}
}
