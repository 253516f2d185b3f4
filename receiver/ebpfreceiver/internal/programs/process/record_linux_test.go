// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/process"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
func TestRecordsOfThisKernel(t *testing.T) {
	named := map[string][]byte{}
	for _, arguments := range []bool{false, true} {
		config := defaultConfig()
		config.Arguments = arguments
		var pid int
		records := programtest.Records(t, program.Selected{Definition: &Definition, Config: config}, func() {
			script := filepath.Join(t.TempDir(), "script")
			require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nexit 3\n"), 0o700))
			cmd := exec.Command(script, "a", "b")
			require.ErrorContains(t, cmd.Run(), "exit status 3")
			pid = cmd.Process.Pid
		})
		for _, raw := range records {
			e, _ := common.View[bpf.ProcessEvent](raw) // all records begin alike
			if int(e.Owner.Pid) != pid {
				continue
			}
			switch bpf.ProcessEventId(e.Record.Event) {
			case bpf.ProcessEventIdEVENT_EXEC:
				named["exec"] = raw
			case bpf.ProcessEventIdEVENT_EXEC_ARGUMENTS:
				named["exec_arguments"] = raw
			case bpf.ProcessEventIdEVENT_EXIT:
				named["exit"] = raw
			}
		}
	}
	programtest.CompareRecords(t, named)
}
