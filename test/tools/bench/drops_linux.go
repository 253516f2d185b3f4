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

// drops makes a storm of drops: all are counted, few are events, and nothing grows.
func (b *bench) drops() error {
	return b.with(asConfigured, func(s *subject) error {
		first, err := s.fresh(time.Now())
		if err != nil {
			return err
		}
		// The same storm before it: what the collector needs for one, it has then.
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
		// The seconds of the limit begin with the first drop in each: a storm touches one more than it lasts.
		most := eventLimit * (math.Ceil(done.Elapsed.Seconds()) + math.Ceil(warm.Elapsed.Seconds()) + 2)
		b.table.judge(events > 0 && events <= most, what+": events", fmt.Sprintf("≤ %.0f", most), "%.0f, %.0f held back by the limit, %.0f lost otherwise", events, held, lost)
		b.table.judge(float64(after.Now) <= 1.02*float64(before.Now), what+": resident memory", "no growth", "%s; after as many before: %s", after, before)

		sent := float64(warm.Sent + done.Sent)
		udp := collector.Labels{"network_transport": "udp", "network_type": "ipv4"}
		var faults []string
		for metric, want := range map[string]float64{
			"ebpf_packet_drops_total":         sent,
			"ebpf_packet_drop_io_bytes_total": sent * float64(done.Bytes),
		} {
			if have := grown(metric, udp); have != want {
				faults = append(faults, fmt.Sprintf("%s of udp has grown by %.0f instead of %.0f", metric, have, want))
			}
		}
		if events+held+lost < sent {
			faults = append(faults, fmt.Sprintf("events, held back and lost ones are %.0f of %.0f", events+held+lost, sent))
		}
		return b.judgeExact(what+": metrics", faults)
	})
}
