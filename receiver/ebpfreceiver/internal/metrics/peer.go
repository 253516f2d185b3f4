// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import "github.com/cilium/ebpf"

const (
	// noPrealloc is BPF_F_NO_PREALLOC.
	noPrealloc = 1
	// maxPeerSeries bounds the series of a map with series per server. Further ones are counted as overflow.
	maxPeerSeries = 65536
)

// Scraper reads the series of a map with any type of key.
type Scraper[S, V comparable] interface {
	Scrape(b *Builder) (map[S]*V, error)
}

// MakeRoomForPeers prepares a map with keys of peer series: see bpf/include/peer.h. If there are series per server, it gets room for
// many. Otherwise its keys become as short as a series, of that many bytes.
func MakeRoomForPeers(counts *ebpf.MapSpec, byPeer bool, series uintptr) {
	if byPeer {
		// An entry per CPU would take hundreds of megabytes on a large host.
		counts.Type, counts.Flags, counts.MaxEntries = ebpf.Hash, noPrealloc, maxPeerSeries
		return
	}
	counts.KeySize, counts.Key, counts.Value = uint32(series), nil, nil
}
