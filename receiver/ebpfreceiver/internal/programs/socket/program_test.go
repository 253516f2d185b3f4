// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func TestHooks(t *testing.T) {
	for tracked, want := range map[bool][]string{
		false: {"tp_btf/sched_process_exit", "tp_btf/sched_process_exec", "tp_btf/inet_sock_set_state", "cgroup/sock_create", "iter/task_file"},
		true:  {"cgroup/sock_create", "iter/task_file"}, // another program does the work of the first hook
	} {
		host := programtest.Host(t)
		host.SocketsTracked = tracked
		p := Definition.New(Definition.DefaultConfig(), host)
		spec, err := p.Spec()
		require.NoError(t, err)
		var hooks []string
		for _, hook := range p.Hooks() {
			hooks = append(hooks, hook.Variants[0].Hook)
			assert.Contains(t, spec.Programs, hook.Variants[0].Function)
		}
		assert.Equal(t, want, hooks)
	}
}

func TestDefinition(t *testing.T) {
	host := programtest.Host(t)
	require.NoError(t, Definition.DefaultConfig().Validate())
	p := Definition.New(Definition.DefaultConfig(), host)
	assert.Zero(t, p.Events())
	assert.Empty(t, p.Variables())
	require.NoError(t, p.Loaded(nil))

	b := programtest.NewBatch(host, true)
	require.EqualError(t, p.AppendLog(b, make([]byte, 24)), "unexpected record of 24 bytes: program socket writes no records")
	assert.Zero(t, b.Len())

	m := programtest.NewMetrics(host, pcommon.Timestamp(1), metadata.DefaultMetricsConfig())
	require.NoError(t, p.Scrape(m))
	assert.Zero(t, m.Emit().MetricCount())
}
