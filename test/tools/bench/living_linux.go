// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	// livingSockets are the TCP sockets of the measurement: both ends of half as many connections.
	livingSockets = 100_000
	// looks are the collections that are measured. They are so far apart that the receiver leaves none out.
	looks, lookInterval = 4, 5 * time.Second
)

// living measures what a collection costs while many connections are open: each is looked at.
func (b *bench) living() error {
	text := fmt.Sprintf("{collection_interval: %s, programs: {connection: {protocols: [tcp], events: false}}}", lookInterval)
	return b.with(settings{"ebpf/living", text}, func(s *subject) error {
		without, err := s.perCollection()
		if err != nil {
			return err
		}
		held, err := traffic.HoldConnections(b.container, livingSockets/2)
		if err != nil {
			return err
		}
		time.Sleep(lookInterval) // the first look finds them
		with, err := s.perCollection()
		if err := errors.Join(err, held.Close()); err != nil {
			return err
		}
		cost := with - without
		b.table.judge(cost <= 50*time.Millisecond, fmt.Sprintf("CPU per collection for %d open TCP sockets", livingSockets), "≤ 50 ms",
			"%.1f ms: %.1f ms with them, %.1f ms without", milliseconds(cost), milliseconds(with), milliseconds(without))
		return nil
	})
}

// perCollection returns the CPU time of the collector per collection, while nothing else happens.
func (s *subject) perCollection() (time.Duration, error) {
	before, err := s.CPU()
	if err != nil {
		return 0, err
	}
	time.Sleep(looks * lookInterval)
	after, err := s.CPU()
	if err != nil {
		return 0, err
	}
	return after.Sub(before).Total() / looks, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
