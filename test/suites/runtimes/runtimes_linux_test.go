// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runtimes

import "testing"

// TestRuntimes shares the daemons, and builds the image while containers are made.
func TestRuntimes(t *testing.T) {
	h := newHost(t)
	e := startEngines(h)
	t.Run("together", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *host, *engines){
			"containers": testContainers, "image": testImage, "image of a release": testReleaseImage,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, h, e)
			})
		}
	})
}
