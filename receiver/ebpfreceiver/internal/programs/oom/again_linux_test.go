// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// again is the program with an object in which each victim is marked twice. The kernel does so when another thread of the
// victim allocates memory on a host without any.
type again struct{ *kills }

func (a again) Hooks() []program.Hook { return append(a.kills.Hooks(), a.kills.Hooks()...) }

// A kill is reported once, however often the kernel marks the victim.
func TestVictimsThatAreMarkedAgain(t *testing.T) {
	kerneltest.Require(t)
	const count = 3
	var k *kills
	definition := Definition
	definition.New = func(cfg program.Config, host *program.Host) program.Program {
		k = newProgram(cfg, host).(*kills)
		return again{k}
	}
	victims, counted := map[int]int{}, uint64(0)
	records := programtest.Records(t, program.Selected{Definition: &definition, Config: defaultConfig()}, func() {
		for range count {
			victims[killOne(t)] = 0
		}
		all, err := k.counts.Scrape(programtest.NewMetrics(k.host, aScrapeLater, metadata.DefaultMetricsConfig()))
		require.NoError(t, err)
		for _, sum := range all {
			counted += sum.Kills
		}
	})
	for _, raw := range records {
		e, ok := common.View[bpf.OomEvent](raw)
		require.True(t, ok)
		if _, ok := victims[int(e.Owner.Pid)]; ok {
			victims[int(e.Owner.Pid)]++
		}
	}
	require.Len(t, victims, count)
	for pid, events := range victims {
		assert.Equal(t, 1, events, "events of process %d", pid)
	}
	assert.EqualValues(t, len(records), counted, "all victims, including those of other processes")
}
