// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// The scan of this kernel finds a leak of this process.
func TestLeakInThisKernel(t *testing.T) {
	config := defaultConfig()
	config.LeakIntervals, config.Processes = 2, processes.Most
	definition := Definition
	definition.Needs = nil
	options := programtest.LiveOptions(t)
	b := batch.New(batch.Settings{
		Clock:      options.Kernel.Clock,
		Containers: options.Kernel.Containers,
		Resources:  metadata.NewResourceBuilder(metadata.DefaultResourceAttributesConfig()),
		Include:    func(pcommon.Resource) bool { return true },
		Body:       true,
	})
	options.Emit = func(appendLog func(*batch.Batch)) bool {
		appendLog(b)
		return true
	}
	set, err := program.Open([]program.Selected{{Definition: &definition, Config: config}}, options)
	require.NoError(t, err)
	defer func() { require.NoError(t, set.Close()) }()
	defer set.Detach()
	for range 3 {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, errors.Join(r.Close(), w.Close())) })
		require.NoError(t, set.Scrape(programtest.NewMetrics(programtest.Host(t), aScrapeLater, metadata.DefaultMetricsConfig())))
	}
	payload := b.Flush()
	programtest.AssertSound(t, payload.Logs)
	assert.Equal(t, payload.Count, payload.ByProgram[1])
	leaks := map[string]int64{}
	for _, rl := range payload.Logs.ResourceLogs().All() {
		for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
			attributes := lr.Attributes().AsRaw()
			if attributes["process.pid"] == int64(os.Getpid()) {
				leaks[attributes["ebpf.file_descriptor.kind"].(string)] = attributes["ebpf.file_descriptor.leak.growth"].(int64)
			}
		}
	}
	assert.EqualValues(t, 4, leaks["pipe"], "in two intervals: %v", leaks)
}
