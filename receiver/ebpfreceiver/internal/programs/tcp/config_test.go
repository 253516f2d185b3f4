// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Events)
	require.NotNil(t, c.EventLimit)
	assert.Equal(t, 1000, *c.EventLimit)
	assert.Equal(t, 100*time.Millisecond, c.RTTInterval)
}

func TestConfigValidate(t *testing.T) {
	zero := 0
	for _, tt := range []struct {
		name     string
		interval time.Duration
		limit    *int
		want     []string
	}{
		{name: "shortest", interval: time.Millisecond},
		{name: "longest", interval: time.Hour},
		{name: "too short", interval: time.Millisecond - 1, want: []string{"rtt_interval: 999.999µs is not between 1ms and 1h0m0s"}},
		{name: "too long", interval: time.Hour + 1, want: []string{"rtt_interval: 1h0m0.000000001s is not between"}},
		{name: "all faults at once", interval: -time.Second, limit: &zero, want: []string{
			"event_limit: 0 is not a positive number",
			"rtt_interval: -1s is not between 1ms and 1h0m0s; leave the key out for 100ms",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := defaultConfig()
			c.RTTInterval, c.EventLimit = tt.interval, tt.limit
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
