// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// AllowTracepoints lets processes with CAP_PERFMON attach to tracepoints during the test. On older kernels, Debian's setting
// of 3 allows it only with CAP_SYS_ADMIN.
func AllowTracepoints(t testing.TB) {
	t.Helper()
	const setting, allowed = "/proc/sys/kernel/perf_event_paranoid", "2"
	before, err := os.ReadFile(setting)
	require.NoError(t, err)
	if strings.TrimSpace(string(before)) <= allowed { // the values have one digit, or are negative
		return
	}
	require.NoError(t, os.WriteFile(setting, []byte(allowed), 0o600))
	t.Cleanup(func() { require.NoError(t, os.WriteFile(setting, before, 0o600), "restoring %s", setting) })
}

// mountPoint returns the first mount point of the file system type, or "".
func mountPoint(fstype string) (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("reading the mounts: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		if at, found := mountOf(line, fstype); found {
			return at, nil
		}
	}
	return "", nil
}

// mountOf returns the mount point in a line of mountinfo if its file system has that type.
func mountOf(line, fstype string) (at string, found bool) {
	// The mount point is the fifth field. The type is the first field after the dash.
	mount, source, found := strings.Cut(line, " - ")
	fields := strings.Fields(mount)
	if !found || len(fields) < 5 || !strings.HasPrefix(source, fstype+" ") {
		return "", false
	}
	return fields[4], true
}
