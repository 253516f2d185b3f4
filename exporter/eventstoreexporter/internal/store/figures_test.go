// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/problems"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// figures measures a store of many events.
type figures struct {
	*testing.T
	store  *Store
	events int
	// before is the resident memory of a process that makes events without storing them.
	before int
}

func (f *figures) row(what, format string, args ...any) {
	fmt.Printf("%-62s %s\n", what, fmt.Sprintf(format, args...))
}

// memory returns a value of /proc/self/status in MiB.
func (f *figures) memory(key string) int {
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(f, err)
	_, after, _ := strings.Cut(string(text), key+":")
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	require.NoError(f, err)
	return kb >> 10
}

// TestFigures is run by `make bench`: EVENT_STORE_FIGURES is the number of events.
func TestFigures(t *testing.T) {
	count, err := strconv.Atoi(os.Getenv("EVENT_STORE_FIGURES"))
	if err != nil {
		return // `make bench` sets it
	}
	f := &figures{T: t, events: count}
	for i := 0; i < 100_000; i += 5000 { // as below, and thrown away
		_ = storetest.Logs(i, 5000)
	}
	f.before = f.memory("VmRSS")
	f.store = openStore(t, Settings{MaxSize: 4 << 30})
	_, err = problems.Find(t.Context(), f.store, time.Now().Add(-problems.Window).Truncate(query.Part), time.Now()) // as problems.Watch asks
	require.NoError(t, err)
	f.fill()
	f.atRate(20_000)
	f.lookups()
	f.summaries()
	f.stalls()
}

// fill writes events as fast as possible, and measures the writing without the making of events.
func (f *figures) fill() {
	var spent time.Duration
	for i := 0; i < f.events; i += 5000 {
		logs := rarely(i, 5000)
		began := time.Now()
		write(f, f.store, logs)
		spent += time.Since(began)
	}
	began := time.Now()
	f.store.settled()
	spent += time.Since(began)
	f.row("events stored flat out", "%.0f/s", float64(f.events)/spent.Seconds())
	f.row("disk", "%.1f bytes per event", float64(f.store.Status().Bytes)/float64(f.events))
	f.row(fmt.Sprintf("resident memory while %d events are stored", f.events), "%d MiB more than without, at most %d",
		f.memory("VmRSS")-f.before, f.memory("VmHWM")-f.before)
}

// rarely makes events, a few of which in each file are of another process.
func rarely(from, count int) plog.Logs {
	const each = 33_000
	logs := storetest.Logs(from, count)
	i := from
	for _, rl := range logs.ResourceLogs().All() {
		for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
			if i++; i%each == 0 {
				lr.Attributes().PutStr("process.executable.name", "cron")
				lr.Attributes().PutStr("error.type", "timed_out")
				lr.Attributes().PutStr("ebpf.connection.cause", "no_answer")
			}
		}
	}
	return logs
}

// atRate measures the CPU of a store at a fixed rate, a batch each 200 ms.
func (f *figures) atRate(perSecond int) {
	const every = 200 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var spent time.Duration
	batch := perSecond / 5
	const batches = 25
	for range batches {
		logs := storetest.Logs(f.events, batch)
		f.events += batch
		<-ticker.C
		before := cpu()
		write(f, f.store, logs)
		spent += cpu() - before
	}
	before := cpu()
	f.store.settled()
	spent += cpu() - before
	f.row(fmt.Sprintf("CPU at %d events/s", perSecond), "%.2f µs per event", float64(spent.Microseconds())/float64(batches*batch))
}

// repeat runs a query several times.
func (f *figures) repeat(times int, question func() error) spans {
	var all spans
	for range times {
		all = append(all, spend(f, func() { require.NoError(f, question()) }))
	}
	return all
}

func (f *figures) lookups() {
	address, port := "10.77.0.1", int64(5432)
	for _, one := range []struct {
		name   string
		filter query.Filter
	}{
		{"no filter", query.Filter{}},
		{"command", fields(event.Executable, "curl")},
		{"pid", fields(event.PID, int64(1042))},
		{"error", fields(event.Error, "refused")},
		{"unit", fields(event.Unit, "sshd.service")},
		{"port", query.Filter{Port: &port}},
		{"severity", query.Filter{Severity: 13}},
		{"cookie of the oldest events", fields(event.Cookie, int64(100_002))},
		{"address that never occurs", query.Filter{Address: &address}},
		{"attribute, frequent", query.Filter{Attributes: map[string]string{"network.transport": "tcp"}}},
		{"attribute, a string that never occurs", query.Filter{Attributes: map[string]string{"network.transport": "sctp"}}},
		{"attribute, a number that never occurs", query.Filter{Attributes: map[string]string{"ebpf.packet.size": "61"}}},
		{"attribute, a name that never occurs", query.Filter{Attributes: map[string]string{"nobody.has": "it"}}},
		{"attribute, a rare number", query.Filter{Attributes: map[string]string{"ebpf.connection.bytes_sent": "65530"}}},
		{"attribute, a rare string", query.Filter{Attributes: map[string]string{"ebpf.connection.cause": "no_answer"}}},
		{"command that is rare", fields(event.Executable, "cron")},
		{"error that is rare", fields(event.Error, "timed_out")},
		{"attribute, a time that occurs once", query.Filter{Attributes: map[string]string{
			"process.creation.time": storetest.Start.Add(104 * time.Millisecond).Format("2006-01-02T15:04:05.000Z"),
		}}},
	} {
		all := f.repeat(100, func() error {
			_, err := f.store.Events(f.Context(), query.Events{Filter: one.filter, Limit: 100})
			return err
		})
		f.row("last 100 by "+one.name, "%s", all.p99())
	}
}

// summaries asks of windows that end with the last event. There are 1,000 a second.
func (f *figures) summaries() {
	last := storetest.Start.Add(time.Duration(f.events) * time.Millisecond)
	by := []query.Key{{Kind: query.ByField, Field: event.Executable}, {Kind: query.ByField, Field: event.Error}}
	f.row("summary of 60 s at 1,000/s", "%s", f.repeat(100, func() error {
		_, err := f.store.Count(f.Context(), query.Count{Filter: query.Filter{Since: last.Add(-time.Minute)}, Step: 10 * time.Second, By: by})
		return err
	}).p99())
	for _, window := range []time.Duration{5 * time.Minute, problems.Window, 30 * time.Minute, time.Hour} {
		var all spans
		for range 5 {
			require.NoError(f, f.store.Close())
			f.store = openStore(f, Settings{MaxSize: 4 << 30, Directory: f.store.settings.Directory, Now: func() time.Time { return last }})
			all = append(all, spend(f, func() {
				_, err := problems.Find(f.Context(), f.store, last.Add(-window).Truncate(query.Part), last)
				require.NoError(f, err)
			}))
		}
		f.row(fmt.Sprintf("problems of %v at 1,000/s, first question after a start", window), "%s", all.most())
	}

	// problems.Watch asks every ten seconds, so that the first query of a client is as fast as the following ones.
	find := func() error {
		last := storetest.Start.Add(time.Duration(f.events) * time.Millisecond)
		f.store.settings.Now = func() time.Time { return last }
		_, err := problems.Find(f.Context(), f.store, last.Add(-problems.Window).Truncate(query.Part), last)
		return err
	}
	require.NoError(f, find())
	var all spans
	var spent time.Duration
	const rounds, events = 20, 10_000
	for range rounds {
		write(f, f.store, storetest.Logs(f.events, events))
		f.events += events
		f.store.settled()
		before := cpu()
		all = append(all, spend(f, func() { require.NoError(f, find()) }))
		spent += cpu() - before
	}
	f.row("problems of 15m0s as kept, ten seconds later", "%s", all.most())
	f.row("CPU to keep it", "%.2f µs per event", float64(spent.Microseconds())/(rounds*events))
}

// stalls measures the writes at 20,000/s while queries run, files are sealed and old ones are removed.
func (f *figures) stalls() {
	s := openStore(f, Settings{MaxSize: 64 << 20})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				var err error
				if i == 0 {
					_, err = s.Events(f.Context(), query.Events{Filter: fields(event.Error, "refused"), Limit: 100})
				} else {
					_, err = s.Count(f.Context(), query.Count{By: []query.Key{{Kind: query.ByType}}})
				}
				if err != nil {
					f.Error(err)
				}
			}
		})
	}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	var all spans
	for i := range 150 {
		logs := storetest.Logs(i*4000, 4000)
		<-ticker.C
		all = append(all, spend(f, func() { write(f, s, logs) }))
	}
	close(done)
	readers.Wait()
	f.row("insertion of 4,000 events, with questions, sealing and retention", "%s", all.most())
}
