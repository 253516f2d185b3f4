// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Events)
	assert.Equal(t, 100, *c.EventLimit)
	assert.Equal(t, 100*time.Millisecond, c.Threshold)
	assert.False(t, c.Waiting, "an idle host blocks all the time")
}

const containerID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		set  func(*Config)
		want string
	}{
		"unknown call": {
			func(c *Config) { c.Syscalls = []string{"read", "opnat"} },
			`syscalls::1: "opnat" is not a system call of Linux; the nearest is "openat", and ` + "`man 2 syscalls` lists all",
		},
		"upper case":    {func(c *Config) { c.Syscalls = []string{"READ"} }, `syscalls::0: "READ" is not a system call of Linux; the nearest is`},
		"empty call":    {func(c *Config) { c.Syscalls = []string{""} }, `syscalls::0: "" is not a system call of Linux`},
		"other":         {func(c *Config) { c.Syscalls = []string{"_OTHER"} }, `syscalls::0: "_OTHER" is not a system call of Linux`},
		"noreturn call": {func(c *Config) { c.Syscalls = []string{"exit_group"} }, `syscalls::0: "exit_group" does not return`},
		"call twice":    {func(c *Config) { c.Syscalls = []string{"read", "write", "read"} }, `syscalls::2: "read" is listed twice`},
		"a path": {
			func(c *Config) { c.Executables = []program.Executable{"/bin/cat"} },
			`executables::0: "/bin/cat" is a path; write the base name of the executable, such as "cat"`,
		},
		"executable twice": {
			func(c *Config) { c.Executables = []program.Executable{"cat", "cat"} }, `executables::1: "cat" is listed twice`,
		},
		"no id": {
			func(c *Config) { c.Containers = []program.ContainerID{"web"} },
			`containers::0: "web" is not the id of a container; write it, or at least its first 12 hexadecimal digits, as container.id has it`,
		},
		"long name":       {func(c *Config) { c.Containers = []program.ContainerID{"web-server-of-mine"} }, `containers::0: "web-server-of-mine" is not the id`},
		"long id":         {func(c *Config) { c.Containers = []program.ContainerID{containerID + "0"} }, `0" is not the id`},
		"container twice": {func(c *Config) { c.Containers = []program.ContainerID{containerID, containerID} }, `containers::1: "` + containerID + `" is listed twice`},
		"containers": {
			func(c *Config) {
				for i := range 17 {
					c.Containers = append(c.Containers, program.ContainerID(fmt.Sprintf("%064x", i)))
				}
			},
			"containers: 17 are listed; list at most 16, or leave the key out for all processes",
		},
		"threshold": {
			func(c *Config) { c.Threshold = 100 },
			"threshold: 100ns is not between 1µs and 24h0m0s; leave the key out for 100ms, or set events: false for no events",
		},
		"negative threshold": {func(c *Config) { c.Threshold = -time.Second }, "threshold: -1s is not between"},
		"event limit":        {func(c *Config) { c.EventLimit = new(int) }, "event_limit: 0 is not a positive number"},
	} {
		t.Run(name, func(t *testing.T) {
			c := defaultConfig()
			tt.set(c)
			require.ErrorContains(t, c.Validate(), tt.want)
		})
	}
}

func TestValidateGivesAllErrorsAtOnce(t *testing.T) {
	c := defaultConfig()
	c.Syscalls, c.Executables, c.Containers, c.Threshold = []string{"opne"}, []program.Executable{""}, []program.ContainerID{"x"}, 0
	assert.Len(t, strings.Split(c.Validate().Error(), "\n"), 4)
}

// All settings are valid together.
func TestValidateOfEverything(t *testing.T) {
	c := defaultConfig()
	c.Syscalls = []string{"openat", "open", "epoll_wait", "_llseek", "recv", "listns"} // of any architecture
	c.Executables = []program.Executable{"nginx"}
	c.Containers = []program.ContainerID{program.ContainerID(containerID[:12]), containerID}
	require.NoError(t, c.Validate())
}

// bit returns whether a set of the BPF side contains a call of this architecture.
func bit(t *testing.T, variables map[string]any, name, call string) bool {
	t.Helper()
	set := variables[name].(bits)
	return set.has(numberOf(t, call))
}

func TestVariables(t *testing.T) {
	host := programtest.Host(t)
	config := defaultConfig()
	variables := newProgram(config, host).Variables()
	for call, want := range map[string]bool{"openat": true, "futex": true, "exit": false, "exit_group": false, otherName: true} {
		assert.Equal(t, want, bit(t, variables, bpf.SyscallVarWantedCalls, call), call)
	}
	kinds := variables[bpf.SyscallVarCallKinds].([allCalls]uint8)
	for call, want := range map[string]bpf.SyscallCallKind{
		"futex": bpf.SyscallCallKindKIND_WAITS, "fsync": bpf.SyscallCallKindKIND_ORDINARY, "openat": bpf.SyscallCallKindKIND_OPENS,
		"read": bpf.SyscallCallKindKIND_WAITS_UNLESS_FILE, "rt_sigreturn": bpf.SyscallCallKindKIND_NO_RESULT,
	} {
		assert.Equal(t, uint8(want), kinds[numberOf(t, call)], call)
	}
	assert.Zero(t, kinds[600], "a number without a name has no special kind")
	assert.Equal(t, uint64(100_000_000), variables[bpf.SyscallVarSlowThreshold], "ns")
	assert.NotContains(t, variables, bpf.SyscallVarReadNames, "the loader sets it")
	assert.Equal(t, false, variables[bpf.SyscallVarOnlyExecutables])
	assert.Equal(t, false, variables[bpf.SyscallVarByContainer])
	assert.Equal(t, false, variables[bpf.SyscallVarWithBuckets])
	assert.Equal(t, false, variables[bpf.SyscallVarOnlyContainers])

	config.Syscalls, config.Executables, config.Containers = []string{"read"}, []program.Executable{"cat"}, []program.ContainerID{containerID}
	variables = newProgram(config, host).Variables()
	for call, want := range map[string]bool{"read": true, "openat": false, otherName: false} {
		assert.Equal(t, want, bit(t, variables, bpf.SyscallVarWantedCalls, call), call)
	}
	assert.Equal(t, true, variables[bpf.SyscallVarOnlyExecutables])
	assert.Equal(t, true, variables[bpf.SyscallVarByContainer])
	assert.Equal(t, true, variables[bpf.SyscallVarWithBuckets])
	assert.Equal(t, true, variables[bpf.SyscallVarOnlyContainers])
	assert.Equal(t, true, variables[bpf.SyscallVarReadNames])
}

func TestEvents(t *testing.T) {
	host := programtest.Host(t)
	assert.Equal(t, uint32(1), newProgram(defaultConfig(), host).Events())
	host.Events.EbpfSyscallSlow.Enabled = false
	assert.Zero(t, newProgram(defaultConfig(), host).Events())
}

// A kernel without task storage, like that of these types, identifies threads by address, and needs a hook for their end.
func TestWithoutTaskStorage(t *testing.T) {
	p := newProgram(defaultConfig(), programtest.Host(t))
	spec, err := p.Spec()
	require.NoError(t, err)
	assert.Equal(t, "Array", spec.Maps[bpf.SyscallMapSyscallThreads].Type.String(), "what every kernel has")
	assert.Equal(t, uint32(32768), spec.Maps[bpf.SyscallMapSyscallByAddress].MaxEntries)
	assert.Equal(t, true, p.Variables()[bpf.SyscallVarNoTaskStorage])
	assert.Len(t, p.Hooks(), 3)
}
