// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Events)
	assert.True(t, c.Operations)
	assert.Nil(t, c.EventLimit)
	assert.Equal(t, 100, c.Processes)
	assert.Equal(t, 30, c.LeakIntervals)
}

func TestConfigFaults(t *testing.T) {
	limit := 0
	c := defaultConfig()
	c.EventLimit, c.Processes, c.LeakIntervals = &limit, 0, 1
	err := c.Validate()
	for _, fault := range []string{
		"event_limit: 0 is not a positive number",
		"processes: 0 is not a number of processes from 1 to 10000; leave the key out for 100",
		"leak_intervals: 1 is not a number of intervals from 2 to 1000000; leave the key out for 30",
	} {
		require.ErrorContains(t, err, fault)
	}
	for _, c := range []Config{
		{Processes: 10_001, LeakIntervals: 2},
		{Processes: -1, LeakIntervals: 2},
		{Processes: 1, LeakIntervals: 1_000_001},
		{Processes: 1, LeakIntervals: -1},
	} {
		require.Error(t, c.Validate())
	}
	for _, c := range []Config{{Processes: 1, LeakIntervals: 1_000_000}, {Processes: 10_000, LeakIntervals: 2}} {
		require.NoError(t, c.Validate())
	}
}

func TestVariables(t *testing.T) {
	p := newProgram(defaultConfig(), programtest.Host(t))
	assert.Equal(t, map[string]any{bpf.FileDescriptorVarReadNames: true}, p.Variables(), "metrics name processes")
}

// Since Linux 6.6 close() bypasses filp_close, so a hook there would miss most closes.
func TestHooks(t *testing.T) {
	for release, want := range map[string][]string{
		"5.10.0-46-cloud-amd64": {"iter/task_file", "fentry/fd_install", "fexit/do_dup2", "fentry/filp_flush", "fentry/filp_close"},
		"6.5.13":                {"iter/task_file", "fentry/fd_install", "fexit/do_dup2", "fentry/filp_flush", "fentry/filp_close"},
		"6.6.0":                 {"iter/task_file", "fentry/fd_install", "fexit/do_dup2", "fentry/filp_flush"},
		"7.0":                   {"iter/task_file", "fentry/fd_install", "fexit/do_dup2", "fentry/filp_flush"},
		"unknown":               {"iter/task_file", "fentry/fd_install", "fexit/do_dup2", "fentry/filp_flush"},
	} {
		for _, operations := range []bool{true, false} {
			host := programtest.Host(t)
			host.Kernel.Host = &kernel.Host{Release: func() (string, error) { return release, nil }}
			config := defaultConfig()
			config.Operations = operations
			spec, err := newProgram(config, host).Spec()
			require.NoError(t, err)
			var got []string
			for _, hook := range newProgram(config, host).Hooks() {
				for _, v := range hook.Variants {
					got = append(got, v.Hook)
					require.Contains(t, spec.Programs, v.Function)
					assert.Equal(t, v.Hook, spec.Programs[v.Function].SectionName)
				}
				assert.Equal(t, len(got) > 1, hook.Optional, got)
			}
			if !operations {
				want = want[:1]
			}
			assert.Equal(t, want, got, release)
		}
	}
}

func TestKindNames(t *testing.T) {
	seen := map[string]bool{}
	for kind, name := range kindNames {
		assert.NotEmpty(t, name, kind)
		assert.False(t, seen[name], name)
		seen[name] = true
		assert.Equal(t, name, kindName(uint32(kind)))
	}
	assert.Equal(t, "other", kindName(uint32(kinds)), "of a newer BPF side")
}
