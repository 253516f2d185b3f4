// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// What this kernel writes is of the kind of what is recorded; with -update it is what is recorded.
func TestRecordsOfThisKernel(t *testing.T) {
	config := defaultConfig()
	config.LeakIntervals, config.Processes = 2, processes.Most
	var p program.Program
	definition := Definition
	definition.New = func(config program.Config, host *program.Host) program.Program {
		p = newProgram(config, host)
		return p
	}
	definition.Needs = nil
	records := programtest.Records(t, program.Selected{Definition: &definition, Config: config}, func() {
		host := programtest.Host(t)
		for range 3 {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, errors.Join(r.Close(), w.Close())) })
			require.NoError(t, p.Scrape(programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())))
		}
	})
	named := map[string][]byte{}
	for _, raw := range records {
		e, _ := common.View[bpf.FileDescriptorEvent](raw)
		if int(e.Leak.Owner.Pid) == os.Getpid() && int(e.Leak.Kind) == pipe {
			named["leak"] = raw
		}
	}
	programtest.CompareRecords(t, named)
}
