// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// eventLimit is the default of packet_drop, in events per second.
const eventLimit = 1000

func (b *bench) dropsOf(count int) traffic.Drops {
	return traffic.Drops{Count: count, Threads: clients}
}

// drops provokes a storm of packet drops. It checks that all are counted, that the event limit holds, and that memory does
// not grow.
func (b *bench) drops() error {
	return b.with(asConfigured, func(s *subject) error {
		first, err := s.fresh(time.Now())
		if err != nil {
			return err
		}
		// Warm up with the same storm, so that caches and maps have their final size before memory is measured.
		warm, err := b.dropsOf(b.dropCount).Run(b.container)
		if err != nil {
			return err
		}
		time.Sleep(settle)
		before, err := s.Memory()
		if err != nil {
			return err
		}
		done, err := b.dropsOf(b.dropCount).Run(b.container)
		if err != nil {
			return err
		}
		time.Sleep(settle)
		after, err := s.Memory()
		if err != nil {
			return err
		}
		last, err := s.fresh(time.Now())
		if err != nil {
			return err
		}
		grown := func(metric string, labels collector.Labels) float64 {
			return last.Sum(metric, labels) - first.Sum(metric, labels)
		}

		what := fmt.Sprintf("%d drops, %.0f/s", done.Sent, done.PerSecond())
		program := collector.Labels{"ebpf_program_name": "packet_drop"}
		events := grown("ebpf_event_delivered_total", program)
		held := grown("ebpf_event_lost_total", collector.Labels{"ebpf_program_name": "packet_drop", "ebpf_loss_cause": "rate_limit"})
		lost := grown("ebpf_event_lost_total", nil) - held
		// A second of the limit begins with its first drop, so a storm touches one more second than it lasts.
		most := eventLimit * (math.Ceil(done.Elapsed.Seconds()) + math.Ceil(warm.Elapsed.Seconds()) + 2)
		b.table.judge(events > 0 && events <= most, what+": events", fmt.Sprintf("≤ %.0f", most), "%.0f, %.0f rate-limited, %.0f lost otherwise", events, held, lost)
		b.table.judge(float64(after.Now) <= 1.02*float64(before.Now), what+": resident memory", "no growth", "%s; after as many before: %s", after, before)

		sent := float64(warm.Sent + done.Sent)
		udp := collector.Labels{"network_transport": "udp", "network_type": "ipv4"}
		var faults []string
		for metric, want := range map[string]float64{
			"ebpf_packet_drops_total":         sent,
			"ebpf_packet_drop_io_bytes_total": sent * float64(done.Bytes),
		} {
			if have := grown(metric, udp); have != want {
				faults = append(faults, fmt.Sprintf("%s for udp grew by %.0f instead of %.0f", metric, have, want))
			}
		}
		if events+held+lost < sent {
			faults = append(faults, fmt.Sprintf("delivered, rate-limited and lost events: %.0f of %.0f", events+held+lost, sent))
		}
		return b.judgeExact(what+": metrics", faults)
	})
}
