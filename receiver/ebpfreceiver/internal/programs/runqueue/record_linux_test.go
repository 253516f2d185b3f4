// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
func TestRecordsOfThisKernel(t *testing.T) {
	config := defaultConfig()
	config.Threshold = program.Threshold.Least
	named := map[string][]byte{}
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: config}, func() {
		for range 100 {
			time.Sleep(time.Millisecond)
		}
	})
	for _, raw := range records {
		if e, ok := common.View[bpf.RunqueueEvent](raw); ok && int(e.Owner.Pid) == os.Getpid() {
			named["stall"] = raw
		}
	}
	require.NotEmpty(t, named, "of %d records", len(records))
	programtest.CompareRecords(t, named)
}

// In a storm of stalls, all are in the metric, and each is a record in the ring or counted as lost.
func TestStallsAreDeliveredOrCounted(t *testing.T) {
	config, limit := defaultConfig(), 500
	config.Threshold, config.EventLimit = program.Threshold.Least, &limit
	options := programtest.LiveOptions(t)
	options.RingSize = 64 << 10
	set, err := program.Open([]program.Selected{{Definition: &Definition, Config: config}}, options)
	require.NoError(t, err)
	defer func() { require.NoError(t, set.Close()) }()
	reader, err := ring.New(set.Records())
	require.NoError(t, err)
	defer func() { require.NoError(t, reader.Close()) }()

	var there, back [2]int
	require.NoError(t, errors.Join(unix.Pipe(there[:]), unix.Pipe(back[:])))
	const turns = 20_000
	go func() {
		b := make([]byte, 1)
		for range turns {
			_, _ = unix.Read(there[0], b)
			_, _ = unix.Write(back[1], b)
		}
	}()
	for range turns {
		_, err := unix.Write(there[1], make([]byte, 1))
		require.NoError(t, err)
		_, err = unix.Read(back[0], make([]byte, 1))
		require.NoError(t, err)
	}
	set.Detach()
	delivered := 0
	reader.Drain(1<<20, func(raw []byte) {
		if record, ok := common.View[common.Record](raw); ok && set.Name(int(record.Program)) == Definition.Name {
			delivered++
		}
	})
	require.Positive(t, delivered)

	m := programtest.NewMetrics(programtest.Host(t), aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, set.Scrape(m))
	stalls, lost := 0, map[string]int{}
	for _, rm := range m.Emit().ResourceMetrics().All() {
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			switch metric.Name() {
			case "ebpf.runqueue.duration":
				for _, p := range metric.Histogram().DataPoints().All() {
					require.InDelta(t, program.Threshold.Least.Seconds(), p.ExplicitBounds().At(0), 1e-12)
					stalls += int(p.Count() - p.BucketCounts().At(0))
				}
			case "ebpf.event.lost":
				for _, p := range metric.Sum().DataPoints().All() {
					cause, _ := p.Attributes().Get("ebpf.loss.cause")
					if name, _ := p.Attributes().Get("ebpf.program.name"); name.Str() == Definition.Name {
						lost[cause.Str()] += int(p.IntValue())
					}
				}
			}
		}
	}
	require.Positive(t, lost["rate_limit"], "%v", lost)
	require.Zero(t, lost["map_full"], "%v", lost)
	require.Equal(t, stalls, delivered+lost["rate_limit"]+lost["ring_full"], "%d delivered, %v lost", delivered, lost)
}
