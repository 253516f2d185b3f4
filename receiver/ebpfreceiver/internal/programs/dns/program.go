// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"fmt"
	"sync"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/dns"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// names is the program in a running receiver.
type names struct {
	config *Config
	host   *program.Host
	// written counts the records that the BPF side has written.
	written *ebpf.Map

	mu sync.Mutex // guards what is below against a scrape while records are read
	// read is the number of records that were read.
	read        uint64
	pending     pending
	connections connections
	durations   durations
}

var _ program.Program = (*names)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	return &names{
		config: cfg.(*Config), host: host,
		pending: newPending(), connections: newConnections(), durations: durations{},
	}
}

// Spec implements program.Program.
func (*names) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadDNS() }

// Variables implements program.Program.
func (*names) Variables() map[string]any {
	// Names are needed without events, too: batch.Domains identifies processes by them.
	return map[string]any{bpf.DNSVarReadNames: true}
}

// Events implements program.Program. Look-ups are events of user space.
func (*names) Events() uint32 { return 0 }

// Loaded implements program.Program.
func (n *names) Loaded(maps map[string]*ebpf.Map) error {
	n.written = maps[bpf.DNSMapDnsWritten]
	return nil
}

// Hooks implements program.Program. The kernel skips no run of cgroup hooks.
func (n *names) Hooks() []program.Hook {
	return []program.Hook{
		program.CgroupPackets(bpf.DNSProgDnsReceived, "ingress", n.host.CgroupRoot, ebpf.AttachCGroupInetIngress),
		program.CgroupPackets(bpf.DNSProgDnsSent, "egress", n.host.CgroupRoot, ebpf.AttachCGroupInetEgress),
	}
}

// hasReadAll reports whether all records that the BPF side wrote before the call were read.
func (n *names) hasReadAll() (bool, error) {
	var perCPU []uint64
	if err := n.written.Lookup(uint32(0), &perCPU); err != nil {
		return false, fmt.Errorf("read map %s: %w", n.written, err)
	}
	var written uint64
	for _, one := range perCPU {
		written += one
	}
	return n.read >= written, nil
}
