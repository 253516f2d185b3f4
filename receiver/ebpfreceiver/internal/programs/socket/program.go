// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package socket is the program that finds the owners of sockets for other programs. It has no telemetry.
package socket

import (
	"fmt"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/socket"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Definition is the program, for Definition.Needs of others.
var Definition = program.Definition{
	Name:          "socket",
	DefaultConfig: func() program.Config { return &program.CommonConfig{} },
	New:           func(_ program.Config, host *program.Host) program.Program { return &sockets{host: host} },
}

type sockets struct{ host *program.Host }

var _ program.Program = (*sockets)(nil)

// Spec implements program.Program.
func (*sockets) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadSocket() }

// Variables implements program.Program.
func (*sockets) Variables() map[string]any { return nil }

// Events implements program.Program.
func (*sockets) Events() uint32 { return 0 }

// Loaded implements program.Program.
func (*sockets) Loaded(map[string]*ebpf.Map) error { return nil }

// Hooks implements program.Program. Sockets older than the hooks are searched for after the hooks are attached, so that
// none is missed.
func (s *sockets) Hooks() (hooks []program.Hook) {
	if !s.host.SocketsTracked {
		hooks = append(hooks,
			program.Tracepoint(bpf.SocketProgSocketProcessExit, "sched_process_exit"),
			program.Tracepoint(bpf.SocketProgSocketProcessExec, "sched_process_exec"),
			s.host.PreemptibleTracepoint(bpf.SocketProgSocketSetState, bpf.SocketProgSocketSetStateMissed, "inet_sock_set_state"))
	}
	return append(hooks,
		program.Cgroup(bpf.SocketProgSocketCreate, "sock_create", s.host.CgroupRoot, ebpf.AttachCGroupInetSockCreate),
		program.Iterator(bpf.SocketProgSocketFind, "task_file"),
	)
}

// AppendLog implements program.Program.
func (*sockets) AppendLog(_ *batch.Batch, raw []byte) error {
	return fmt.Errorf("unexpected record of %d bytes: program socket writes no records", len(raw))
}

// Scrape implements program.Program.
func (*sockets) Scrape(*metrics.Builder) error { return nil }
