// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// masses is a hundred thousand short-lived processes (ten thousand with -short) that ran while a receiver did.
type masses struct {
	r         *testreceiver.Receiver
	shell     *traffic.Agent
	container *testhost.Cgroup
	// count is how many processes the program that the shell ran has made.
	count int
}

// massesOf is how a program that keeps an entry per process or thread runs among masses of processes.
type massesOf struct {
	// settings are a YAML block.
	settings string
	// check checks what the program has counted, and that it reports later processes.
	check func(masses, *testing.T)
}

// inMasses has an entry for each such program. The file with the program's tests adds it.
var inMasses = map[string]massesOf{}

// Many short-lived processes leave nothing in the maps of the programs that keep an entry per process or thread: all are
// counted, and later ones are reported.
func TestProcessesInMasses(t *testing.T) {
	testnet.Require(t)
	m := masses{count: 100_000}
	if testing.Short() {
		m.count = 10_000
	}
	m.shell, m.container = newShell(t)
	programs := slices.Sorted(maps.Keys(inMasses))
	config := "collection_interval: 200ms\nprograms:"
	for _, name := range programs {
		config += fmt.Sprintf("\n  %s: %s", name, inMasses[name].settings)
	}
	m.r = testreceiver.Start(t, config)
	m.shell.OpenDescriptors("timerfd", 200)
	m.shell.Fork(m.count)
	for _, name := range programs {
		t.Run(name, func(t *testing.T) { inMasses[name].check(m, t) })
	}
}
