// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/problems"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // it cannot fail
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkWrite(b *testing.B) {
	s := openStore(b, Settings{})
	i := 0
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		logs := storetest.Logs(i, 5000)
		i += 5000
		before := cpu()
		b.StartTimer()
		require.NoError(b, s.Write(b.Context(), logs))
		spent += cpu() - before
	}
	before := cpu()
	s.settled()
	spent += cpu() - before
	b.ReportMetric(float64(spent.Nanoseconds())/float64(i), "cpu-ns/event")
	b.ReportMetric(float64(s.Status().Bytes)/float64(i), "B/event")
}

func BenchmarkRead(b *testing.B) {
	s := openStore(b, Settings{})
	const events = 600_000
	for i := 0; i < events; i += 5000 {
		require.NoError(b, s.Write(b.Context(), storetest.Logs(i, 5000)))
	}
	s.settled()
	last := storetest.Start.Add(events * time.Millisecond)
	address := "10.77.0.1"
	for name, f := range map[string]query.Filter{
		"all": {}, "command": fields(event.Executable, "curl"), "pid": fields(event.PID, int64(1042)),
		"error": fields(event.Error, "refused"), "cookie": fields(event.Cookie, int64(100500)), "nobody": {Address: &address},
		"rare attribute": {Attributes: map[string]string{"ebpf.packet.size": "61"}},
	} {
		b.Run("last 100/"+name, func(b *testing.B) {
			for b.Loop() {
				_, err := s.Events(b.Context(), query.Events{Filter: f, Limit: 100})
				require.NoError(b, err)
			}
		})
	}
	for _, window := range []time.Duration{time.Minute, 10 * time.Minute} {
		b.Run(fmt.Sprintf("count/%v", window), func(b *testing.B) {
			for b.Loop() {
				_, err := s.Count(b.Context(), query.Count{
					Filter: query.Filter{Since: last.Add(-window)}, Step: 10 * time.Second,
					By: []query.Key{{Kind: query.ByField, Field: event.Executable}, {Kind: query.ByField, Field: event.Error}},
				})
				require.NoError(b, err)
			}
		})
		b.Run(fmt.Sprintf("count warnings/%v", window), func(b *testing.B) {
			for b.Loop() {
				_, err := s.Count(b.Context(), query.Count{
					Filter: query.Filter{Since: last.Add(-window), Severity: 13},
					By:     []query.Key{{Kind: query.ByField, Field: event.Executable}, {Kind: query.ByField, Field: event.Error}},
				})
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkProblems(b *testing.B) {
	s := openStore(b, Settings{})
	const events = 1_000_000
	for i := 0; i < events; i += 5000 {
		write(b, s, storetest.Logs(i, 5000))
	}
	s.settled()
	last := storetest.Start.Add(events * time.Millisecond)
	b.ResetTimer()
	before := cpu()
	for b.Loop() {
		_, err := problems.Find(b.Context(), s, last.Add(-450*time.Second), last)
		require.NoError(b, err)
	}
	b.ReportMetric(float64((cpu()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
}
