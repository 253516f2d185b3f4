// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package programtest helps to test programs: a host that is the same everywhere, golden files of OTLP, and records of
// the running kernel.
package programtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap/zaptest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Cgroups that Host knows, with ids that no kernel has assigned yet: two of one container, one of another, one without.
const (
	Web uint64 = 1<<48 + iota
	WebChild
	Database
	Service
)

// Number is the number of the program in the records of tests. Any number would do.
const Number = 3

const (
	webPath      = "/kubepods/pod00000000-1111-2222-3333-444444444444/" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	databasePath = "/system.slice/docker-" + "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" + ".scope"
)

// Host returns a host with its own drop reasons, containers and clock, where all events and metrics are wanted. The wall
// time of a kernel time is the same number.
func Host(t testing.TB) *program.Host {
	t.Helper()
	types := BTF(t, 4)
	containers := kernel.NewContainers(kernel.AllFields)
	containers.Add(Web, webPath)
	containers.Add(WebChild, webPath+"/worker")
	containers.Add(Database, databasePath)
	containers.Add(Service, "/system.slice/sshd.service")
	return &program.Host{
		Kernel: &program.Kernel{
			BTF:        types,
			Reasons:    types.DropReasons(),
			Symbols:    kernel.NewSymbols(),
			Containers: containers,
			Clock:      new(kernel.Clock),
			CgroupRoot: "/sys/fs/cgroup",
		},
		Settings: program.Settings{
			Logger:     zaptest.NewLogger(t),
			Events:     metadata.DefaultEventsConfig(),
			Histograms: metadata.DefaultHistogramsConfig(),
			Histogram:  histogram.Explicit,
		},
		Emit:      func(func(*batch.Batch)) {},
		CountFull: func() {},
		Report:    func(program.State) {},
	}
}

// Drop reasons of Host's kernel: some of the core, and one of a subsystem.
const (
	ReasonNotDropped    = 0
	ReasonConsumed      = 1
	ReasonNotSpecified  = 2
	ReasonNoSocket      = 3
	ReasonSocketRcvbuff = 6
	ReasonNetfilterDrop = 8
	ReasonQueuePurge    = 9
	ReasonLastAction    = 3<<16 | 1
)

// Reset reasons of Host's kernel.
const (
	ResetNotSpecified = 0
	ResetNoSocket     = 1
	ResetAbortOnClose = 11
)

// Disk operations of Host's kernel.
const (
	DiskRead       = 0
	DiskWrite      = 1
	DiskFlush      = 2
	DiskDiscard    = 3
	DiskZoneAppend = 7
)

// BTF returns the types of a kernel whose tracepoint kfree_skb has that number of arguments. With three or more it has
// drop reasons, and the accounting of tasks.
func BTF(t testing.TB, kfreeSkbArguments int) *kernel.BTF {
	t.Helper()
	pointer := &btf.Pointer{Target: (*btf.Void)(nil)}
	proto := &btf.FuncProto{Return: (*btf.Void)(nil)}
	for range kfreeSkbArguments + 1 { // the first parameter is the tracepoint's context
		proto.Params = append(proto.Params, btf.FuncParam{Type: pointer})
	}
	types := []btf.Type{&btf.Typedef{Name: "btf_trace_kfree_skb", Type: &btf.Pointer{Target: proto}}}
	if kfreeSkbArguments > 2 {
		types = append(types,
			&btf.Enum{Name: "skb_drop_reason", Size: 4, Values: []btf.EnumValue{
				{Name: "SKB_NOT_DROPPED_YET", Value: ReasonNotDropped},
				{Name: "SKB_CONSUMED", Value: ReasonConsumed},
				{Name: "SKB_DROP_REASON_NOT_SPECIFIED", Value: ReasonNotSpecified},
				{Name: "SKB_DROP_REASON_NO_SOCKET", Value: ReasonNoSocket},
				{Name: "SKB_DROP_REASON_SOCKET_RCVBUFF", Value: ReasonSocketRcvbuff},
				{Name: "SKB_DROP_REASON_NETFILTER_DROP", Value: ReasonNetfilterDrop},
				{Name: "SKB_DROP_REASON_QUEUE_PURGE", Value: ReasonQueuePurge},
			}},
			&btf.Enum{Name: "skb_drop_reason_subsys", Size: 4, Values: []btf.EnumValue{
				{Name: "SKB_DROP_REASON_SUBSYS_CORE", Value: 0},
				{Name: "SKB_DROP_REASON_SUBSYS_OPENVSWITCH", Value: 3},
				{Name: "SKB_DROP_REASON_SUBSYS_NUM", Value: 4},
			}},
			&btf.Enum{Name: "sk_rst_reason", Size: 4, Values: []btf.EnumValue{
				{Name: "SK_RST_REASON_NOT_SPECIFIED", Value: ResetNotSpecified},
				{Name: "SK_RST_REASON_NO_SOCKET", Value: ResetNoSocket},
				{Name: "SK_RST_REASON_TCP_ABORT_ON_CLOSE", Value: ResetAbortOnClose},
			}},
			&btf.Enum{Name: "req_op", Size: 4, Values: []btf.EnumValue{
				{Name: "REQ_OP_READ", Value: DiskRead},
				{Name: "REQ_OP_WRITE", Value: DiskWrite},
				{Name: "REQ_OP_FLUSH", Value: DiskFlush},
				{Name: "REQ_OP_DISCARD", Value: DiskDiscard},
				{Name: "REQ_OP_ZONE_APPEND", Value: DiskZoneAppend},
			}},
			&btf.Struct{Name: "sched_info", Size: 8, Members: []btf.Member{{Name: "last_queued", Type: pointer}}},
			&btf.Struct{Name: "cfs_rq", Size: 8, Members: []btf.Member{{Name: "rq", Type: pointer}}},
			&btf.Enum{Name: "ovs_drop_reason", Size: 4, Values: []btf.EnumValue{{Name: "OVS_DROP_LAST_ACTION", Value: ReasonLastAction}}},
		)
	}
	builder, err := btf.NewBuilder(types, nil)
	require.NoError(t, err)
	raw, err := builder.Marshal(nil, btf.KernelMarshalOptions())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "kernel.btf")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	loaded, err := kernel.LoadBTF(path)
	require.NoError(t, err)
	return loaded
}

// NewBatch returns an empty batch of the host.
func NewBatch(host *program.Host, body bool) *batch.Batch {
	return batch.New(batch.Settings{
		Clock:      host.Clock,
		Containers: host.Containers,
		Resources:  metadata.NewResourceBuilder(metadata.DefaultResourceAttributesConfig()),
		Include:    func(pcommon.Resource) bool { return true },
		ScopeName:  metadata.ScopeName,
		Version:    "test",
		Body:       body,
		Size:       64,
	})
}
