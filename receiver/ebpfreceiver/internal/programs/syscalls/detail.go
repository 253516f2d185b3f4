// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"fmt"
	"slices"
	"strings"
)

// The values of the setting `detail`: which series the metrics have.
const (
	// detailAuto is detailFull if the configuration selects some calls, executables or containers, otherwise detailHost.
	detailAuto = "auto"
	// detailHost is one series per call and error, with the number and the sum of the durations.
	detailHost = "host"
	// detailContainer is that for each container.
	detailContainer = "container"
	// detailFull has the buckets of the histogram as well.
	detailFull = "full"
)

var details = []string{detailAuto, detailHost, detailContainer, detailFull}

func (c *Config) checkDetail() error {
	if !slices.Contains(details, c.Detail) {
		return fmt.Errorf("detail: %q is not one of %s", c.Detail, strings.Join(details, ", "))
	}
	return nil
}

// detail returns the detail of the metrics. All calls of all containers, with buckets, are tens of thousands of series.
func (c *Config) detail() string {
	switch {
	case c.Detail != detailAuto:
		return c.Detail
	case len(c.Syscalls) > 0 || len(c.Executables) > 0 || len(c.Containers) > 0:
		return detailFull
	default:
		return detailHost
	}
}
