// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/cilium/ebpf"
)

const (
	// histogramMemory is the maximum memory in bytes for the histograms of a map on all CPUs, unless that is too little for
	// minHistograms.
	histogramMemory              = 64 << 20
	minHistograms, maxHistograms = 128, 1024
)

// MakeRoom sets the number of entries of a map of histograms. Each entry exists once per CPU, so that CPUs do not contend
// for it; more CPUs leave room for fewer entries.
func MakeRoom(histograms *ebpf.MapSpec) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count the CPUs: %w", err)
	}
	histograms.MaxEntries = roomFor(histograms.ValueSize, cpus)
	return nil
}

func roomFor(size uint32, cpus int) uint32 {
	return uint32(min(max(histogramMemory/int(size)/cpus, minHistograms), maxHistograms))
}
