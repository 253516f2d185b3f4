// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThisHost(t *testing.T) {
	h := ThisHost()

	release, err := h.Release()
	require.NoError(t, err)
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(string(text)), release)

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set, err := h.Capabilities()
	require.NoError(t, err)
	assert.Equal(t, effectiveByStatus(t), set)

	_, err = h.StatsEnabled()
	require.NoError(t, err)
}

// effectiveByStatus reads the effective capabilities of this thread from /proc.
func effectiveByStatus(t *testing.T) Capabilities {
	t.Helper()
	text, err := os.ReadFile("/proc/thread-self/status")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			require.NoError(t, err)
			return Capabilities(set)
		}
	}
	t.Fatal("no CapEff")
	return 0
}

func TestThisHostCanRunPrograms(t *testing.T) {
	need(t, os.Geteuid() == 0, "eBPF programs need root")
	err := ThisHost().Check(Requirements{Capabilities: []Capability{CapBPF, CapPerfmon, CapNetAdmin}, Cgroup2: true})
	if err != nil {
		need(t, false, err.Error())
	}
}

func TestThisHostWithoutACapability(t *testing.T) {
	need(t, os.Geteuid() == 0, "only root has capabilities to lose")
	done := make(chan error)
	go func() {
		// The thread cannot get them back: it ends with the goroutine.
		runtime.LockOSThread()
		for _, c := range []Capability{CapPerfmon, CapSysAdmin} {
			if err := dropCapability(c); err != nil {
				done <- err
				return
			}
		}
		done <- ThisHost().Check(Requirements{Capabilities: []Capability{CapBPF, CapPerfmon}})
	}()
	assert.ErrorContains(t, <-done, "CAP_PERFMON is missing: ")
}
