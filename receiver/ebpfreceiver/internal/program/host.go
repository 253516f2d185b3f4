// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"github.com/cilium/ebpf"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
)

// Kernel describes the running kernel.
type Kernel struct {
	*kernel.Host
	// BTF is for loading programs. It is closed when they are loaded.
	BTF        *kernel.BTF
	Reasons    *kernel.DropReasons
	Symbols    *kernel.Symbols
	Containers *kernel.Containers
	Clock      *kernel.Clock
	// CgroupRoot is the mount point of the cgroup2 hierarchy.
	CgroupRoot string
}

// IsPreemptible reports whether a task may preempt a BPF program on this kernel. The kernel then skips the program for
// events of that task.
func (k *Kernel) IsPreemptible() bool { return k.AtLeast(kernel.SincePreemption) }

// sinceSocketNumbers is a helper that came with Linux 5.12, as did bpf_get_socket_cookie for tracing programs.
const sinceSocketNumbers = "check_mtu"

// StoresInSockets reports whether programs of all kinds can store in sockets. If not, state is kept by the address of its object.
func (k *Kernel) StoresInSockets() bool { return k.BTF.HasHelper(sinceSocketNumbers) }

// PreemptibleTracepoint is a hook at a tracepoint. It has a fallback only where programs are preemptible: elsewhere few
// runs are skipped, and another hook makes up for them.
func (k *Kernel) PreemptibleTracepoint(function, fallback, name string) Hook {
	if k.IsPreemptible() {
		return ExactTracepoint(function, fallback, name)
	}
	return Tracepoint(function, name)
}

// Settings are the settings that all programs share.
type Settings struct {
	Logger     *zap.Logger
	Events     metadata.EventsConfig
	Histograms metadata.HistogramsConfig
	Histogram  histogram.Kind
	// ByPeer reports that metrics have series per server, ByQuestion that they have series per looked-up name.
	ByPeer, ByQuestion bool
	// KeepGoing reports that a program that cannot run is reported and left out, instead of failing the start.
	KeepGoing bool
}

// Host is what the receiver gives to one program. The loader makes one per program. It does not change afterwards.
type Host struct {
	*Kernel
	Settings
	// SocketsTracked reports that a program attached earlier tracks the owners of TCP sockets.
	SocketsTracked bool
	// Sockets is what is known of TCP sockets.
	Sockets *ebpf.Map
	// Listening has the TCP listeners that exist, Listened those that were closed and had drops.
	Listening, Listened *ebpf.Map
	// UpdateListener updates a listener's entry in Listening. nil: no program reports listeners.
	UpdateListener func(socket uint64) (common.ListeningFate, error)
	// Emit adds the log record of an event that the program finds in user space, unless it is over the event limit.
	Emit func(appendLog func(b *batch.Batch))
	// CountFull counts a loss because the program has no room in user space, like a full map of the BPF side.
	CountFull func()
	// Report reports a state of the program that the loader does not know.
	Report func(State)
}

// DropReason returns the name of a drop reason and that of its subsystem; "" where this kernel gives no reasons.
func (h *Host) DropReason(reason uint32) (name, subsystem string) {
	if !h.Reasons.HasReasons() {
		return "", ""
	}
	return h.Reasons.Name(reason)
}

// Location returns the kernel function at an address; "" if it is unknown.
func (h *Host) Location(address uint64) string {
	name, err := h.Symbols.Name(address)
	if err != nil {
		h.Logger.Warn("Cannot resolve kernel addresses; events have no ebpf.drop.location", zap.Error(err))
	}
	return name
}
