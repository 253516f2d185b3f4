// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Events)
	require.NotNil(t, c.EventLimit, "a drop storm must not become a storm of events")
	assert.Equal(t, 1000, *c.EventLimit)

	*c.EventLimit = 0
	require.ErrorContains(t, c.Validate(), "event_limit: 0 is not a positive number")
	assert.Equal(t, 1000, *defaultConfig().EventLimit, "defaults are not shared")
}
