// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"regexp"
	"slices"

	"go.uber.org/zap"
)

// memoryDisk are the names of disks in memory. Their drivers (zram, brd, pmem) make no requests, so these disks have hooks of
// their own, which run for every bio of every disk. They are attached only if there is such a disk at the start.
var memoryDisk = regexp.MustCompile(`^(zram|ram|pmem)\d`)

func (o *operations) hasMemoryDisks() bool {
	names, err := o.devices.list()
	return err == nil && slices.ContainsFunc(names, memoryDisk.MatchString)
}

// warnOfMemoryDisks logs once that a disk in memory is not measured because it is newer than the program.
func (o *operations) warnOfMemoryDisks() {
	if o.seesMemoryDisks() || o.warned {
		return
	}
	for name := range o.devices.present {
		if memoryDisk.MatchString(name) {
			o.warned = true
			o.host.Logger.Warn("A disk in memory appeared after the start and is not measured; reload the configuration (SIGHUP) to measure it",
				zap.String("system.device", name))
			return
		}
	}
}
