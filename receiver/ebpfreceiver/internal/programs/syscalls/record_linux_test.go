// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
func TestRecordsOfThisKernel(t *testing.T) {
	config := defaultConfig()
	config.Syscalls, config.Waiting, config.Threshold = []string{"clock_nanosleep"}, true, time.Millisecond
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: config}, func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for {
			// A signal of the Go runtime may interrupt the call.
			length := unix.NsecToTimespec(20_000_000)
			if err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &length, nil); err != unix.EINTR {
				require.NoError(t, err)
				return
			}
		}
	})
	named := map[string][]byte{}
	for _, raw := range records {
		if e, _ := common.View[bpf.SyscallEvent](raw); int(e.Owner.Pid) == os.Getpid() && e.Result == 0 {
			named["slow"] = raw
		}
	}
	programtest.CompareRecords(t, named)
}
