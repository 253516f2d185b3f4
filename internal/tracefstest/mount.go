// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package tracefstest mounts tracefs for tests. It is not below test, because tests of the receiver import it: a build of a collector
// with the receiver also resolves the imports of its tests, and the image is built without test.
package tracefstest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Mount mounts tracefs at the usual place during the test, over existing mounts. A test of another process that ends meanwhile removes
// only its own mount.
func Mount(t testing.TB) {
	t.Helper()
	const place = "/sys/kernel/tracing"
	err := unix.Mount("tracefs", place, "tracefs", 0, "")
	if errors.Is(err, unix.EBUSY) { // it is mounted there already, so bind it over itself
		err = unix.Mount(place, place, "", unix.MS_BIND, "")
	}
	require.NoError(t, err, "mounting tracefs")
	t.Cleanup(func() { require.NoError(t, unix.Unmount(place, unix.MNT_DETACH), "unmounting tracefs") })
}
