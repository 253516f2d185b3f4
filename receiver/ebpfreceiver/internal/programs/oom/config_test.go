// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Events)
	assert.Nil(t, c.EventLimit, "kills are rare")

	limit := 0
	c.EventLimit = &limit
	require.ErrorContains(t, c.Validate(), "event_limit: 0 is not a positive number")
}
