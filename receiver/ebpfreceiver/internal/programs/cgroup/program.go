// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package cgroup is the program that finds new cgroups, so that other programs know even short-lived containers by name.
// It has no telemetry.
package cgroup

import (
	"fmt"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/cgroup"
	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Definition is the program, for Definition.Needs of others.
var Definition = program.Definition{
	Name:          "cgroup",
	First:         true,
	DefaultConfig: func() program.Config { return &program.CommonConfig{} },
	New:           func(_ program.Config, host *program.Host) program.Program { return &cgroups{host: host} },
}

type cgroups struct{ host *program.Host }

var _ program.Program = (*cgroups)(nil)

// Spec implements program.Program.
func (*cgroups) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadCgroup() }

// Variables implements program.Program.
func (*cgroups) Variables() map[string]any { return nil }

// Events implements program.Program.
func (*cgroups) Events() uint32 { return 0 }

// Loaded implements program.Program.
func (*cgroups) Loaded(map[string]*ebpf.Map) error { return nil }

// Hooks implements program.Program.
func (*cgroups) Hooks() []program.Hook {
	return []program.Hook{
		program.Tracepoint(bpf.CgroupProgCgroupMake, "cgroup_mkdir"),
		program.Tracepoint(bpf.CgroupProgCgroupRemove, "cgroup_rmdir"),
	}
}

// AppendLog implements program.Program; it adds no log record.
func (c *cgroups) AppendLog(_ *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.CgroupEvent](raw)
	if !ok {
		return fmt.Errorf("cgroup record of %d bytes is too short", len(raw))
	}
	switch e.Record.Event {
	case uint8(bpf.CgroupEventIdEVENT_MADE):
		path := common.Text(e.Path[:])
		if len(path) == len(e.Path)-1 {
			c.host.Containers.Find(e.Id) // the path is cut
			break
		}
		if kernel.IsRuntime(string(common.Text(e.Comm[:]))) {
			c.host.Containers.AddByRuntime(e.Id, string(path))
			break
		}
		c.host.Containers.Add(e.Id, string(path))
	case uint8(bpf.CgroupEventIdEVENT_REMOVED):
		c.host.Containers.Remove(e.Id)
	default:
		return fmt.Errorf("cgroup record of unknown event %d", e.Record.Event)
	}
	return nil
}

// Scrape implements program.Program.
func (*cgroups) Scrape(*metrics.Builder) error { return nil }
