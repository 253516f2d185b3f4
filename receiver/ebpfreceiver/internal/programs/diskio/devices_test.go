// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDevicesThatAreGone(t *testing.T) {
	var (
		names []string
		err   error
	)
	d := newDevices()
	d.list = func() ([]string, error) { return names, err }
	gone := func() bool {
		d.update()
		first := d.countAbsence("sdb")
		assert.Equal(t, first, d.countAbsence("sdb"), "repeated calls return the same")
		return first
	}
	names = []string{"sda", "sdb"}
	assert.False(t, gone())
	names = []string{"sda"}
	for range scrapesKept {
		assert.False(t, gone(), "its last counts are still reported")
	}
	assert.True(t, gone())
	assert.True(t, gone())
	assert.False(t, d.countAbsence("sda"))

	names = []string{"sdb"}
	assert.False(t, gone(), "it is back")
	names = nil
	for range scrapesKept {
		assert.False(t, gone())
	}
	assert.True(t, gone())

	err = errors.New("no sysfs")
	assert.False(t, gone(), "nobody knows")
	err = nil
	assert.False(t, gone())
}
