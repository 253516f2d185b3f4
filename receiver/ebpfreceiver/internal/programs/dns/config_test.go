// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Common().Events)
	require.NotNil(t, c.EventLimit)
	assert.Equal(t, 1000, *c.EventLimit)
	assert.Equal(t, 100*time.Millisecond, c.Threshold)
	assert.Equal(t, 10*time.Second, c.Timeout)
}

func TestConfigValidate(t *testing.T) {
	c := defaultConfig()
	c.Threshold, c.Timeout = 0, time.Microsecond
	err := c.Validate()
	require.ErrorContains(t, err, "threshold: 0s is not between 1µs and 1h0m0s; leave the key out for 100ms")
	require.ErrorContains(t, err, "timeout: 1µs is not between 1ms and 1h0m0s; leave the key out for 10s")
	c.Threshold, c.Timeout = time.Hour, time.Hour
	require.NoError(t, c.Validate())
}
