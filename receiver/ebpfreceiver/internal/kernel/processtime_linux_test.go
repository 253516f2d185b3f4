// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThreadTime(t *testing.T) {
	const pause = 100 * time.Millisecond
	waiting, err := ThreadTime(func() error {
		time.Sleep(pause)
		return nil
	})
	require.NoError(t, err)
	assert.Less(t, waiting, pause/2)

	start := time.Now()
	working, err := ThreadTime(func() error {
		for time.Since(start) < pause {
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, working, waiting)
	assert.LessOrEqual(t, working, time.Since(start))

	failure := errors.New("failed")
	_, err = ThreadTime(func() error { return failure })
	assert.Equal(t, failure, err)
}
