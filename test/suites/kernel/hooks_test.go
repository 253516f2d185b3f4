// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/internal/tracefstest"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// Every program attaches all of its hooks. vmtest builds the table of kernels from the logged hooks.
func TestHooks(t *testing.T) {
	testnet.Require(t)
	tracefstest.Mount(t)
	w := testnet.NewWire(t, testnet.NewNamespace(t), "hook")
	before := testreceiver.Owned(t)
	r := testreceiver.Start(t, "programs: "+programs.Examples(w.Device))
	r.Settle(t)
	for _, p := range programs.All() {
		attached := r.Events.Matching(testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", p.Name), testreceiver.With("ebpf.program.state", "attached"))
		require.NotEmpty(t, attached, "program %s is attached nowhere", p.Name)
		for _, e := range attached {
			hook := strings.ReplaceAll(e.Attributes["ebpf.program.hook"].(string), w.Device, "veth")
			t.Logf("program %s is attached to %s", p.Name, hook)
		}
	}
	requireNames(t, testreceiver.Owned(t).Minus(before))
}

// requireNames requires that all programs and maps can be recognised in `bpftool prog` and `bpftool map`: their names begin with that
// of a program, with ebpf_ if several programs share a map, or with that of an object that the receiver loads for all of them.
func requireNames(t *testing.T, o testreceiver.Objects) {
	t.Helper()
	starts := []string{"ebpf", "cgroup", "socket"}
	for _, p := range programs.All() {
		starts = append(starts, p.Name)
	}
	require.NotEmpty(t, o.Programs)
	require.NotEmpty(t, o.Maps)
	for _, name := range slices.Concat(slices.Collect(maps.Values(o.Programs)), slices.Collect(maps.Values(o.Maps))) {
		require.True(t, slices.ContainsFunc(starts, func(start string) bool {
			return name == start || strings.HasPrefix(name, start+"_")
		}), name)
	}
}
