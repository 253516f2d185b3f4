// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/process"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Events)
	assert.False(t, c.Arguments, "they may hold secrets")
	assert.Nil(t, c.EventLimit)

	limit := -1
	c.EventLimit = &limit
	require.ErrorContains(t, c.Validate(), "event_limit: -1 is not a positive number")
}

func TestVariables(t *testing.T) {
	host := programtest.Host(t)
	for _, arguments := range []bool{false, true} {
		config := defaultConfig()
		config.Arguments = arguments
		variables := newProgram(config, host).Variables()
		assert.Equal(t, arguments, variables[bpf.ProcessVarReadArguments])
		assert.Equal(t, uint32(1), variables[bpf.ProcessVarProcessExitArguments], "the arguments that every kernel has")
	}
}

func TestEvents(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	exec, exit := uint32(1)<<bpf.ProcessEventIdEVENT_EXEC, uint32(1)<<bpf.ProcessEventIdEVENT_EXIT
	assert.Equal(t, exec|exit, p.Events())
	host.Events.EbpfProcessExec.Enabled = false
	assert.Equal(t, exit, p.Events())
}
