// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
)

// attach loads and attaches the programs, and opens the reader of their records.
func (r *ebpfReceiver) attach() (source, delivery.Reader, error) {
	defer collectOften()()
	host := kernel.ThisHost()
	types, err := r.checkKernel(host)
	if err != nil {
		return nil, nil, err
	}
	// It takes megabytes, and is needed for loading only.
	defer types.Close()
	options := program.Options{
		Kernel: &program.Kernel{
			Host:       host,
			BTF:        types,
			Reasons:    types.DropReasons(),
			Symbols:    kernel.NewSymbols(),
			Containers: r.containers,
			Clock:      r.clock,
			CgroupRoot: r.containers.Mount(),
		},
		Settings: program.Settings{
			Logger:     r.settings.Logger,
			Events:     r.config.Events.EventsConfig,
			Histograms: r.config.Metrics.Histograms(),
			Histogram:  histogram.Kind(r.config.Histogram),
			ByPeer:     r.config.Metrics.ByPeer(),
			ByQuestion: r.config.Metrics.ByQuestion(),
			KeepGoing:  r.config.ErrorMode == ErrorModeIgnore,
		},
		RingSize: uint32(r.config.RingBufferSize),
		Filters:  r.filters(),
		Report:   r.report,

		Steppable: r.config.OverheadLimit > 0,
		LoadBTF:   func() (*kernel.BTF, error) { return kernel.LoadBTF(r.config.BTFPath) },
		Publish:   r.publishNow,
	}
	if r.logs != nil {
		options.Emit = r.loop.Emit
	}
	source, err := r.loadPrograms(options)
	if err != nil {
		return nil, nil, err
	}
	reader, err := source.Reader()
	if err != nil {
		source.Detach()
		return nil, nil, errors.Join(err, source.Close())
	}
	return source, reader, nil
}

// collectOften makes the garbage collector run often until the result is called, which gives the memory back. What is left of
// loading programs would otherwise be the most memory that the process ever takes.
func collectOften() (end func()) {
	const percent = 20
	before := debug.SetGCPercent(percent)
	return func() {
		debug.SetGCPercent(before)
		debug.FreeOSMemory()
	}
}

// warnOfNothing warns of a logs pipeline that can have no events of programs.
func (r *ebpfReceiver) warnOfNothing() {
	if r.logs == nil {
		return
	}
	for _, config := range r.config.Programs.selected() {
		if config == nil || config.Common().Events {
			return
		}
	}
	r.settings.Logger.Warn("No program emits events, so the logs pipeline has only their states; remove `events: false`, or take the receiver out of the logs pipeline")
}

// openContainers returns the containers of this host. Without them programs still run, unless they need the cgroup hierarchy.
func (r *ebpfReceiver) openContainers() *kernel.Containers {
	kept := containerFields(&r.config.ResourceAttributes)
	containers, err := kernel.OpenContainers(kept)
	if err != nil {
		r.settings.Logger.Warn("Cannot read the cgroup hierarchy; events and metrics have no containers", zap.Error(err))
		return kernel.NewContainers(kept)
	}
	return containers
}

// containerFields are those whose resource attributes are on: containers that differ in none of them share a resource.
func containerFields(c *metadata.ResourceAttributesConfig) kernel.ContainerFields {
	return kernel.ContainerFields{
		ID: c.ContainerID.Enabled, PodUID: c.K8sPodUID.Enabled, CgroupPath: c.ProcessLinuxCgroup.Enabled,
		Unit: c.SystemdUnitName.Enabled,
	}
}

// checkKernel checks what all programs need, warns of what limits them, and loads the type information.
func (r *ebpfReceiver) checkKernel(host *kernel.Host) (*kernel.BTF, error) {
	if err := host.Check(kernel.Requirements{BTFPath: r.config.BTFPath}); err != nil {
		return nil, err
	}
	for _, limit := range host.Limits() {
		r.settings.Logger.Warn("Only a part of the host is visible", zap.String("reason", limit))
	}
	return kernel.LoadBTF(r.config.BTFPath)
}

// programSource is the source that reads this kernel.
type programSource struct{ *program.Set }

// Reader implements source.
func (s programSource) Reader() (delivery.Reader, error) { return ring.New(s.Records()) }

func (r *ebpfReceiver) openSet(options program.Options) (source, error) {
	set, err := program.Open(r.selected(), options)
	if err != nil {
		return nil, err
	}
	return programSource{set}, nil
}

// runWithout returns a source of no programs, and reports each selected one as failed.
func (r *ebpfReceiver) runWithout(err error) (source, delivery.Reader) {
	r.settings.Logger.Error("No program can run; error_mode is ignore, so the collector continues without them", zap.Error(err))
	r.failures.add(err)
	for definition := range r.config.Programs.selected() {
		state := program.State{Program: definition.Name, Name: program.StateFailed, Err: err}
		r.states.Report(state)
		r.loop.EmitState(state)
	}
	return programSource{program.Empty()}, delivery.NewIdleReader()
}

func (r *ebpfReceiver) selected() (selected []program.Selected) {
	for definition, config := range r.config.Programs.selected() {
		selected = append(selected, program.Selected{Definition: &definition, Config: config})
	}
	return selected
}

func (r *ebpfReceiver) filters() program.Filters {
	filter := func(c *FilterConfig) program.Filter {
		return program.Filter{
			Self:        c.Self,
			Loopback:    c.Loopback,
			CIDRs:       c.Prefixes(),
			Ports:       c.PortNumbers(),
			Executables: c.ExecutableNames(),
		}
	}
	include := &r.config.Include
	return program.Filters{
		Exclude: filter(&r.config.Exclude),
		Include: program.Include{Filter: filter(include.filter()), Cgroup: include.cgroup()},
	}
}

// report reports a state of a program in the collector's log and as an event; a failure during the start also becomes part of
// the component status.
func (r *ebpfReceiver) report(s program.State) {
	fields := []zap.Field{zap.String("program", s.Program), zap.String("state", s.Name)}
	if s.Hook != "" {
		fields = append(fields, zap.String("hook", s.Hook))
	}
	if s.Reason != "" {
		fields = append(fields, zap.String("reason", s.Reason))
	}
	if s.Err != nil {
		r.settings.Logger.Error("Program failed", append(fields, zap.Error(s.Err))...)
		if r.config.ErrorMode == ErrorModeIgnore {
			r.failures.add(s.Err)
		}
	} else {
		r.settings.Logger.Info("Program is "+s.Name, fields...)
	}
	r.states.Report(s)
	r.loop.EmitState(s)
}
