// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package xdp

import (
	"io"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Hook attaches a function to network interfaces: in the driver where that supports XDP, in the generic hook elsewhere. It
// reports each place by itself, as "xdp/eth0 native" or "xdp/eth0 generic".
func Hook(function string, host *program.Host, interfaces Interfaces) program.Hook {
	return program.Hook{Variants: []program.Variant{{
		Function: function,
		Hook:     "xdp",
		Attach: func(p *ebpf.Program) (io.Closer, error) {
			return follow(p, host.KeepGoing, host.Report, interfaces)
		},
		Needs: kernel.Requirements{Capabilities: []kernel.Capability{kernel.CapNetAdmin}},
	}}}
}
