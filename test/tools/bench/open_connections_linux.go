// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	// openSockets is the number of TCP sockets: both ends of half as many connections.
	openSockets = 100_000
	// collections is the number of collections that are measured. On a busy machine the receiver does not scan the sockets in each.
	collections, collectionInterval = 3, 10 * time.Second
)

// openConnections measures what a collection costs while many connections are open, because it scans their sockets.
func (b *bench) openConnections() error {
	text := fmt.Sprintf("{collection_interval: %s, programs: {connection: {protocols: [tcp], events: false}}}", collectionInterval)
	return b.with(settings{receiver: "ebpf/open", text: text}, func(s *subject) error {
		without, err := s.perCollection()
		if err != nil {
			return err
		}
		held, err := traffic.HoldConnections(b.container, openSockets/2)
		if err != nil {
			return err
		}
		time.Sleep(3 * collectionInterval) // the first scans find them
		with, err := s.perCollection()
		if err := errors.Join(err, held.Close()); err != nil {
			return err
		}
		quiet, most := without[collections/2], with[collections-1]
		b.table.judge(most-quiet <= 50*time.Millisecond, fmt.Sprintf("CPU per collection for %d open TCP sockets, at most", openSockets), "≤ 50 ms",
			"%.1f ms: %s with them, %s without", milliseconds(most-quiet), with, without)
		return nil
	})
}

// perCollection returns the CPU times of the collector in the collections, the least first, while nothing else happens.
func (s *subject) perCollection() (each []time.Duration, err error) {
	before, err := s.CPU()
	if err != nil {
		return nil, err
	}
	for range collections {
		time.Sleep(collectionInterval)
		after, err := s.CPU()
		if err != nil {
			return nil, err
		}
		each = append(each, after.Sub(before).Total())
		before = after
	}
	slices.Sort(each)
	return each, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
