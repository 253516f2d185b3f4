// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	limited := Limited(5)
	require.NoError(t, limited.Validate())
	assert.True(t, limited.Events)
	assert.Equal(t, 5, *limited.EventLimit)
	*limited.EventLimit = 0
	require.ErrorContains(t, limited.Validate(), "event_limit: 0 is not a positive number")
	*limited.EventLimit = -1
	require.ErrorContains(t, limited.Validate(), "event_limit: -1 is not a positive number")

	unlimited := Unlimited()
	require.NoError(t, unlimited.Validate())
	assert.True(t, unlimited.Events)
	assert.Nil(t, unlimited.EventLimit)
}

func TestThresholdConfig(t *testing.T) {
	c := NewThresholdConfig(1000)
	require.NoError(t, c.Validate())
	assert.Equal(t, 1000, *c.EventLimit)
	assert.Equal(t, 100*time.Millisecond, c.Threshold)

	zero := 0
	for _, tt := range []struct {
		name      string
		threshold time.Duration
		limit     *int
		want      []string
	}{
		{name: "shortest", threshold: time.Microsecond},
		{name: "longest", threshold: time.Hour},
		{name: "too short", threshold: time.Microsecond - 1, want: []string{"threshold: 999ns is not between 1µs and 1h0m0s"}},
		{name: "too long", threshold: time.Hour + 1, want: []string{"threshold: 1h0m0.000000001s is not between"}},
		{name: "all faults at once", threshold: -time.Second, limit: &zero, want: []string{
			"event_limit: 0 is not a positive number",
			"threshold: -1s is not between 1µs and 1h0m0s; leave the key out for 100ms, or set events: false for no events",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewThresholdConfig(1000)
			c.Threshold = tt.threshold
			if tt.limit != nil {
				c.EventLimit = tt.limit
			}
			err := c.Validate()
			if len(tt.want) == 0 {
				require.NoError(t, err)
			}
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestRange(t *testing.T) {
	processes := Range[int]{Least: 1, Most: 10, Default: 5, Unit: "processes"}
	require.NoError(t, processes.Check("p", 1))
	require.NoError(t, processes.Check("p", 10))
	require.EqualError(t, processes.Check("p", 0), "p: 0 is not a number of processes from 1 to 10; leave the key out for 5")
	require.EqualError(t, processes.CheckEvents("p", 11, "samples"),
		"p: 11 is not a number of processes from 1 to 10; leave the key out for 5, or set events: false for no samples")
	least, most := processes.Text()
	assert.Equal(t, []string{"1", "10"}, []string{least, most})

	for most, want := range map[time.Duration]string{
		time.Hour: "1h", 24 * time.Hour: "24h", time.Minute: "1m", 90 * time.Second: "1m30s", 10 * time.Second: "10s", 100 * time.Millisecond: "100ms",
	} {
		least, text := Range[time.Duration]{Least: time.Microsecond, Most: most}.Text()
		assert.Equal(t, "1µs", least)
		assert.Equal(t, want, text)
	}
}
