// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package overhead

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// fakeKernel has programs that take a share of one CPU. It counts their run time while they are timed.
type fakeKernel struct {
	share  float64
	begin  time.Time
	on     bool
	total  time.Duration
	events uint64
	opened int
}

func (k *fakeKernel) setTiming(on bool) error {
	k.total += k.since()
	k.begin, k.on = time.Now(), on
	if on {
		k.opened++
	}
	return nil
}

func (k *fakeKernel) since() time.Duration {
	if !k.on {
		return 0
	}
	return time.Duration(k.share * float64(time.Since(k.begin)))
}

func (k *fakeKernel) usages() ([]program.Usage, error) {
	return []program.Usage{{Program: "tcp", RunTime: k.total + k.since(), Events: k.events}, {Program: "socket"}}, nil
}

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := &fakeKernel{share: 0.25}
		var process time.Duration
		m := meter{
			usages: kernel.usages, setTiming: kernel.setTiming,
			processTime: func() (time.Duration, error) { return process, nil },
			sleep:       func(d time.Duration) bool { time.Sleep(d); return true },
		}
		usages, err := kernel.usages()
		require.NoError(t, err)
		m.begin(usages, 0)
		const interval = time.Second
		for _, tt := range []struct {
			name          string
			events        uint64
			process       time.Duration
			ofEvents, all float64
		}{
			{"all of the process is for events", 10_000, 200 * time.Millisecond, 0.2, 0.2},
			{"few events do not explain the process", 100, 200 * time.Millisecond, 0.01, 0.2},
			{"no events", 0, 50 * time.Millisecond, 0, 0.05},
		} {
			begin := time.Now()
			kernel.events += tt.events
			process += tt.process
			measured, err := m.measure(interval)
			require.NoError(t, err, tt.name)
			assert.Equal(t, interval, time.Since(begin), tt.name)
			require.Len(t, measured.Costs, 2, tt.name)
			assert.InDelta(t, 0.25, measured.Costs[0].Kernel, 1e-6, "%s: the sample is a tenth, and its share the whole", tt.name)
			assert.InDelta(t, tt.ofEvents, measured.Costs[0].Process, 1e-6, tt.name)
			assert.InDelta(t, tt.all-tt.ofEvents, measured.Rest, 1e-6, tt.name)
			assert.Equal(t, Cost{Program: "socket"}, measured.Costs[1], tt.name)
			assert.InDelta(t, 0.25+tt.ofEvents, measured.Total(), 1e-6, "%s: the rest does not belong to it", tt.name)
			assert.False(t, kernel.on, "%s: nothing is timed", tt.name)
		}
		assert.Equal(t, 3, kernel.opened)
		assert.Equal(t, 3*interval/sampled/4, kernel.total, "the programs were timed for a tenth of the time")
	})
}

// Whenever a measurement ends early, nothing is timed any more.
func TestMeterStops(t *testing.T) {
	refused := errors.New("refused")
	for at := range 4 {
		kernel, sleeps := &fakeKernel{}, 0
		m := meter{
			usages: func() ([]program.Usage, error) {
				if at == 3 {
					return nil, refused
				}
				return kernel.usages()
			},
			setTiming:   kernel.setTiming,
			processTime: func() (time.Duration, error) { return 0, nil },
			sleep: func(time.Duration) bool {
				sleeps++
				return sleeps <= at
			},
		}
		_, err := m.measure(time.Second)
		if at == 3 {
			require.ErrorIs(t, err, refused)
		} else {
			require.ErrorIs(t, err, errStopped)
		}
		assert.False(t, kernel.on)
	}
}

func TestPlus(t *testing.T) {
	a := Measurement{Costs: []Cost{{"tcp", 1, 2}}, Rest: 3}
	b := Measurement{Costs: []Cost{{"file", 10, 20}, {"tcp", 30, 40}}, Rest: 50}
	assert.Equal(t, Measurement{Costs: []Cost{{"tcp", 31, 42}, {"file", 10, 20}}, Rest: 53}, a.plus(b))
	assert.Equal(t, []Cost{{"tcp", 1, 2}}, a.Costs, "unchanged")
}
