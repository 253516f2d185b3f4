// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/cgroup"
	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// id is the cgroup of the records.
const id = 1 << 40

// record returns the record of its creation or removal.
func record(event bpf.CgroupEventId, path string) []byte {
	e := &bpf.CgroupEvent{Id: id}
	e.Record.Program, e.Record.Event = programtest.Number, uint8(event)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&e.Path)), len(e.Path)), path)
	return programtest.Bytes(e)
}

func newCgroups(t *testing.T) (*program.Host, program.Program) {
	t.Helper()
	host := programtest.Host(t)
	return host, Definition.New(Definition.DefaultConfig(), host)
}

func TestContainersOfAMoment(t *testing.T) {
	container := strings.Repeat("c", 64)
	host, p := newCgroups(t)
	b := programtest.NewBatch(host, true)
	known := host.Containers.Len()
	assert.Nil(t, host.Containers.Lookup(id))

	require.NoError(t, p.AppendLog(b, record(bpf.CgroupEventIdEVENT_MADE, "/kubepods/pod1/"+container)))
	require.NotNil(t, host.Containers.Lookup(id))
	assert.Equal(t, container, host.Containers.Lookup(id).ID)
	assert.Equal(t, known+1, host.Containers.Len())

	require.NoError(t, p.AppendLog(b, record(bpf.CgroupEventIdEVENT_REMOVED, "/kubepods/pod1/"+container)))
	require.NotNil(t, host.Containers.Lookup(id), "its last events may still arrive")
	assert.Zero(t, b.Len(), "cgroup records are not events")
}

// A container of ctr is known by the runtime that makes its cgroup.
func TestContainersWithNames(t *testing.T) {
	host, p := newCgroups(t)
	b := programtest.NewBatch(host, true)
	byRuntime := record(bpf.CgroupEventIdEVENT_MADE, "/default/web")
	copy(byRuntime[unsafe.Offsetof(bpf.CgroupEvent{}.Comm):], "runc")
	require.NoError(t, p.AppendLog(b, record(bpf.CgroupEventIdEVENT_MADE, "/default/web")))
	assert.Nil(t, host.Containers.Lookup(id))
	require.NoError(t, p.AppendLog(b, record(bpf.CgroupEventIdEVENT_REMOVED, "/default/web")))
	require.NoError(t, p.AppendLog(b, byRuntime))
	require.NotNil(t, host.Containers.Lookup(id))
	assert.Equal(t, "web", host.Containers.Lookup(id).ID)
}

func TestAppendLogRefuses(t *testing.T) {
	whole := record(bpf.CgroupEventIdEVENT_MADE, "/x")
	for name, tt := range map[string]struct {
		record []byte
		want   string
	}{
		"nothing":       {nil, "cgroup record of 0 bytes is too short"},
		"a header":      {whole[:common.RecordSize], "cgroup record of 24 bytes is too short"},
		"a byte short":  {whole[:len(whole)-1], "is too short"},
		"unknown event": {record(5, "/x"), "cgroup record of unknown event 5"},
	} {
		t.Run(name, func(t *testing.T) {
			host, p := newCgroups(t)
			known := host.Containers.Len()
			require.ErrorContains(t, p.AppendLog(programtest.NewBatch(host, true), tt.record), tt.want)
			assert.Equal(t, known, host.Containers.Len())
		})
	}
}

// A path of maximum length has no terminating zero byte.
func TestLongPath(t *testing.T) {
	host, p := newCgroups(t)
	container := strings.Repeat("d", 64)
	path := "/" + strings.Repeat("x", 1022-2-len(container)) + "/" + container
	require.Len(t, path, 1022)
	require.NoError(t, p.AppendLog(programtest.NewBatch(host, true), record(bpf.CgroupEventIdEVENT_MADE, path)))
	require.NotNil(t, host.Containers.Lookup(id))
	assert.Equal(t, container, host.Containers.Lookup(id).ID)
}

func TestDefinition(t *testing.T) {
	_, p := newCgroups(t)
	require.NoError(t, Definition.DefaultConfig().Validate())
	assert.False(t, Definition.DefaultConfig().Common().Events)
	assert.Zero(t, p.Events())
	assert.Empty(t, p.Variables())
	require.NoError(t, p.Loaded(nil))
	spec, err := p.Spec()
	require.NoError(t, err)
	var hooks []string
	for _, hook := range p.Hooks() {
		hooks = append(hooks, hook.Variants[0].Hook)
		assert.Contains(t, spec.Programs, hook.Variants[0].Function)
	}
	assert.Equal(t, []string{"tp_btf/cgroup_mkdir", "tp_btf/cgroup_rmdir"}, hooks)

	host := programtest.Host(t)
	m := programtest.NewMetrics(host, pcommon.Timestamp(1), metadata.DefaultMetricsConfig())
	require.NoError(t, p.Scrape(m))
	assert.Zero(t, m.Emit().MetricCount())
}
