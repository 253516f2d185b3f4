// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// exact makes connections as fast as possible, and compares all their metrics with the traffic.
func (b *bench) exact() error {
	return b.with(asConfigured, func(s *subject) error {
		before, err := s.CPU()
		if err != nil {
			return err
		}
		done, err := b.flatOut(b.connections).Run(b.container)
		if err != nil {
			return err
		}
		time.Sleep(settle)
		after, err := s.CPU()
		if err != nil {
			return err
		}
		b.cpuPerEvent(after.Sub(before), eventsPerConnection*done.Opened, done.Elapsed, "flat out")
		page, err := s.fresh(time.Now())
		if err != nil {
			return err
		}
		n := float64(done.Opened)
		lost := page.Sum("ebpf_event_lost_total", nil)
		what := fmt.Sprintf("%d connections flat out, %.0f/s", done.Opened, done.PerSecond())
		b.table.judge(lost == 0, what+": events lost", "0", "%.0f of %.0f%s", lost, eventsPerConnection*n, causes(page))
		faults := compare(page, b.connectionTruth(n))
		if delivered := page.Sum("ebpf_event_delivered_total", collector.Labels{"ebpf_program_name": "connection"}); delivered+lost < eventsPerConnection*n {
			faults = append(faults, fmt.Sprintf("delivered and lost: %.0f of %.0f", delivered+lost, eventsPerConnection*n))
		}
		return b.judgeExact(what+": metrics", faults)
	})
}

// truth is the expected value of a metric.
type truth struct {
	metric string
	labels collector.Labels
	value  float64
}

// connectionTruth returns the expected metrics of the container after n connections were made and closed.
func (b *bench) connectionTruth(n float64) (truths []truth) {
	in := func(labels ...string) collector.Labels {
		l := collector.Labels{"container_id": b.container.ContainerID, "network_transport": "tcp"}
		for i := 0; i < len(labels); i += 2 {
			l[labels[i]] = labels[i+1]
		}
		return l
	}
	for _, role := range []string{"client", "server"} {
		truths = append(truths,
			truth{"ebpf_connection_opened_total", in("ebpf_connection_role", role, "network_type", "ipv4"), n},
			truth{"ebpf_connection_active", in("ebpf_connection_role", role), 0},
			truth{"ebpf_connection_duration_seconds_count", in("ebpf_connection_role", role), n},
		)
	}
	return append(truths,
		truth{"ebpf_connection_handshake_duration_seconds_count", in(), n},
		truth{"ebpf_connection_opened_total", in(), 2 * n},
		truth{"ebpf_connection_failed_total", in(), 0},
		truth{"ebpf_connection_io_bytes_total", in(), 0},
	)
}

// causes lists the losses by program and cause.
func causes(page collector.Page) (text string) {
	for _, s := range page.Find("ebpf_event_lost_total", nil) {
		if s.Value > 0 {
			text += fmt.Sprintf("; %s by %s: %.0f", s.Labels["ebpf_program_name"], s.Labels["ebpf_loss_cause"], s.Value)
		}
	}
	return text
}

// compare returns the metrics that differ from the truth.
func compare(page collector.Page, truths []truth) (faults []string) {
	for _, t := range truths {
		if value := page.Sum(t.metric, t.labels); value != t.value {
			faults = append(faults, fmt.Sprintf("%s%v is %.0f instead of %.0f", t.metric, t.labels, value, t.value))
		}
	}
	return faults
}

// judgeExact adds whether the metrics were exact. If not, the command fails, which a missed goal does not cause.
func (b *bench) judgeExact(what string, faults []string) error {
	if len(faults) == 0 {
		b.table.judge(true, what, "exact", "exact")
		return nil
	}
	b.table.judge(false, what, "exact", "%d wrong", len(faults))
	return fmt.Errorf("metrics are not exact: %q", faults)
}
