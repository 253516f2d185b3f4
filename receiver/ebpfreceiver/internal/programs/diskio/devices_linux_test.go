// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The list has the devices of this host with the names of the kernel's statistics.
func TestListDevices(t *testing.T) {
	names, err := listDevices()
	require.NoError(t, err)
	statistics, err := os.ReadFile("/proc/diskstats")
	require.NoError(t, err)
	var known []string
	for line := range strings.Lines(string(statistics)) {
		known = append(known, strings.Fields(line)[2])
	}
	assert.Subset(t, known, names)
}
