// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/process"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Outcomes by which the ends of processes are counted.
const (
	executed  = uint8(bpf.ProcessOutcomeOUTCOME_EXEC)
	succeeded = uint8(bpf.ProcessOutcomeOUTCOME_SUCCESS)
	failed    = uint8(bpf.ProcessOutcomeOUTCOME_FAILURE)
	signalled = uint8(bpf.ProcessOutcomeOUTCOME_SIGNAL)
)

// processes is the program in a running receiver.
type processes struct {
	config *Config
	host   *program.Host
	counts metrics.Series[bpf.ProcessSeries, series, bpf.ProcessCounts]
	// path is a buffer for the path of an executable.
	path []byte
}

var _ program.Program = (*processes)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	return &processes{config: cfg.(*Config), host: host}
}

// Spec implements program.Program.
func (*processes) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadProcess() }

// Variables implements program.Program.
func (p *processes) Variables() map[string]any {
	arguments, ok := p.host.BTF.TracepointArgs("sched_process_exit")
	if !ok {
		arguments = 1
	}
	return map[string]any{
		bpf.ProcessVarProcessExitArguments: uint32(arguments),
		bpf.ProcessVarReadArguments:        p.config.Arguments,
		bpf.ProcessVarIsPreemptible:        p.host.IsPreemptible(),
	}
}

// Events implements program.Program.
func (p *processes) Events() uint32 {
	return program.EventBits(map[bpf.ProcessEventId]bool{
		bpf.ProcessEventIdEVENT_EXEC: p.host.Events.EbpfProcessExec.Enabled,
		bpf.ProcessEventIdEVENT_EXIT: p.host.Events.EbpfProcessExit.Enabled,
	})
}

// Loaded implements program.Program.
func (p *processes) Loaded(maps map[string]*ebpf.Map) error {
	return p.counts.Loaded(maps[bpf.ProcessMapProcessCounts], seriesOf,
		bpf.ProcessSeries{Cgroup: metrics.OverflowCgroup, Outcome: executed},
		bpf.ProcessSeries{Cgroup: metrics.OverflowCgroup, Outcome: succeeded},
	)
}

// Hooks implements program.Program.
func (p *processes) Hooks() []program.Hook {
	return []program.Hook{
		p.host.PreemptibleTracepoint(bpf.ProcessProgProcessExec, bpf.ProcessProgProcessExecMissed, "sched_process_exec"),
		p.host.PreemptibleTracepoint(bpf.ProcessProgProcessExit, bpf.ProcessProgProcessExitMissed, "sched_process_exit"),
	}
}
