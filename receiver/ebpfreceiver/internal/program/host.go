// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"github.com/cilium/ebpf"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
)

// Kernel is the running kernel, and what is known of it.
type Kernel struct {
	*kernel.Host
	// BTF is for loading programs: it is closed when they are loaded.
	BTF        *kernel.BTF
	Reasons    *kernel.DropReasons
	Symbols    *kernel.Symbols
	Containers *kernel.Containers
	Clock      *kernel.Clock
	// CgroupRoot is where the cgroup2 hierarchy is mounted.
	CgroupRoot string
}

// IsPreemptible reports whether this kernel lets another task run in the middle of a program, and skips the program for
// what that task does.
func (k *Kernel) IsPreemptible() bool { return k.AtLeast(kernel.SincePreemption) }

// sinceSocketNumbers is a helper that came with Linux 5.12, as did bpf_get_socket_cookie for tracing programs.
const sinceSocketNumbers = "check_mtu"

// StoresInSockets reports whether programs of all kinds can store in sockets. If not, state is kept by the address of its object.
func (k *Kernel) StoresInSockets() bool { return k.BTF.HasHelper(sinceSocketNumbers) }

// PreemptibleTracepoint is a hook at a tracepoint. It has a fallback only where programs are preemptible: elsewhere few
// runs are skipped, and what they miss is learned otherwise.
func (k *Kernel) PreemptibleTracepoint(function, fallback, name string) Hook {
	if k.IsPreemptible() {
		return ExactTracepoint(function, fallback, name)
	}
	return Tracepoint(function, name)
}

// Settings are the configuration that all programs share.
type Settings struct {
	Logger     *zap.Logger
	Events     metadata.EventsConfig
	Histograms metadata.HistogramsConfig
	Histogram  histogram.Kind
	// KeepGoing is whether what can't run is reported and left out, instead of failing the start.
	KeepGoing bool
}

// Host is what one program gets from the receiver. The loader makes one for each program; it does not change afterwards.
type Host struct {
	*Kernel
	Settings
	// SocketsTracked is whether a program that was attached before tracks the owners of TCP sockets.
	SocketsTracked bool
	// Sockets is what is known of TCP sockets.
	Sockets *ebpf.Map
	// Emit adds the log record of an event that the program finds in user space, as far as its event limit allows.
	Emit func(appendLog func(b *batch.Batch))
	// Report reports a state that the program has come to by itself.
	Report func(State)
}
