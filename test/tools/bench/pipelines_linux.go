// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// exporting is an exporter with its settings, as the collector is measured with it.
type exporting struct {
	name string
	// text is the exporter in the configuration. SINK is where the sink takes OTLP over gRPC, SINK_HTTP over HTTP, and DIRECTORY is
	// a folder that is empty at first.
	text string
	// extension is one that the exporter uses.
	extension string
	// receiver has settings of the receiver; "" is none.
	receiver string
	// goal is the CPU time per connection in microseconds; 0 is none.
	goal float64
	// rate is the goal for the share of the connection rate that is kept, in percent; 0 is none.
	rate float64
}

// exporters are the measured exporters, with the settings of the examples unless the name says otherwise. With `merged`, a short
// connection is one event on each side instead of two.
var exporters = []exporting{
	{name: "nop", text: "nop: {}", goal: 6, rate: 85},
	{name: "nop, merged", text: "nop: {}", receiver: "{programs: {connection: {merge_within: 1s}}}"},
	{name: "otlp gRPC", text: otlp("otlp_grpc", "endpoint: SINK, compression: zstd"), goal: 25},
	{name: "otlp gRPC, none", text: otlp("otlp_grpc", "endpoint: SINK, compression: none"), goal: 25},
	{name: "otlp gRPC, snappy", text: otlp("otlp_grpc", "endpoint: SINK, compression: snappy")},
	{name: "otlp gRPC, gzip", text: otlp("otlp_grpc", "endpoint: SINK, compression: gzip")},
	{name: "otlp gRPC, queue on disk", text: otlp("otlp_grpc", "endpoint: SINK, compression: zstd", "storage: file_storage"), extension: storage},
	{name: "otlp gRPC, default queue", text: "otlp_grpc: {endpoint: SINK, compression: zstd, tls: {insecure: true}}"},
	{name: "otlp gRPC, merged", text: otlp("otlp_grpc", "endpoint: SINK, compression: zstd"), receiver: "{programs: {connection: {merge_within: 1s}}}"},
	{name: "otlp HTTP", text: otlp("otlp_http", "endpoint: SINK_HTTP, compression: zstd"), goal: 25},
	{name: "file, JSON", text: "file: {path: DIRECTORY/events.json}"},
	{name: "file, proto", text: "file: {path: DIRECTORY/events.proto, format: proto}"},
	{name: "event_store", text: "event_store: {endpoint: 'localhost:0', directory: DIRECTORY/events}"},
}

// otlp returns an exporter with a queue as in examples/otlp.yaml.
func otlp(name, text string, queue ...string) string {
	queue = append(queue, "num_consumers: 2", "sizer: bytes", "queue_size: 67108864",
		"batch: {flush_timeout: 1s, sizer: bytes, min_size: 262144, max_size: 2097152}")
	return fmt.Sprintf("%s: {%s, tls: {insecure: true}, sending_queue: {%s}}", name, text, strings.Join(queue, ", "))
}

const storage = "file_storage: {directory: DIRECTORY/queue, create_directory: true}"

// variant is a collector that is compared with others.
type variant struct {
	name, binary string
	environment  []string
}

// variants are the collector, and those of the flag -against.
func (b *bench) variants() (all []variant) {
	all = []variant{{binary: b.binary}}
	for one := range strings.SplitSeq(b.against, ";") {
		v := variant{name: strings.TrimSpace(one), binary: b.binary}
		for word := range strings.FieldsSeq(one) {
			if strings.Contains(word, "=") {
				v.environment = append(v.environment, word)
			} else {
				v.binary = word
			}
		}
		if v.name != "" {
			all = append(all, v)
		}
	}
	return all
}

// exported has the results of one exporter.
type exported struct {
	exporting
	variant
	// perConnection is the CPU time of as many events as a connection makes, in microseconds.
	perConnection, rates, memory []float64
	// lost is the share of events that did not get through the exporter, the highest of all runs.
	lost float64
}

// pipelines measures the CPU time of the collector per connection with each exporter, until the events have left. CPU time depends less
// on other work of the machine than the connection rate does. The variants and exporters alternate.
func (b *bench) pipelines() (err error) {
	chosen, err := regexp.Compile(b.exporters)
	if err != nil {
		return fmt.Errorf("the value of -exporters: %w", err)
	}
	var all []*exported
	for _, e := range exporters {
		if !chosen.MatchString(e.name) {
			continue
		}
		for _, v := range b.variants() {
			all = append(all, &exported{exporting: e, variant: v})
		}
	}
	to, err := b.startSink()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Stop()) }()
	var bare []float64
	// Warm up: at first the table of TIME_WAIT connections is empty.
	if _, err := b.flatOut(b.pipelineConnections).Run(b.container); err != nil {
		return err
	}
	for run := range b.runs {
		done, err := b.flatOut(b.pipelineConnections).Run(b.container)
		if err != nil {
			return err
		}
		bare = append(bare, done.PerSecond())
		for i := range all {
			one := all[(i+run)%len(all)]
			if err := b.export(one, to); err != nil {
				return fmt.Errorf("%s: %w", one, err)
			}
			fmt.Printf("  %s: %.1f µs\n", one, one.perConnection[len(one.perConnection)-1])
		}
	}
	slices.SortStableFunc(all, func(x, y *exported) int { return cmp.Compare(index(x), index(y)) })
	for _, one := range all {
		b.judgeExported(one, bare)
	}
	return nil
}

func index(e *exported) int {
	return slices.IndexFunc(exporters, func(one exporting) bool { return one.name == e.exporting.name })
}

func (e *exported) String() string {
	if e.variant.name == "" {
		return e.exporting.name
	}
	return e.exporting.name + " with " + e.variant.name
}

// judgeExported adds the medians to the table.
func (b *bench) judgeExported(one *exported, bare []float64) {
	each := median(one.perConnection)
	kept := 100 * median(one.rates) / median(bare)
	measured := fmt.Sprintf("%.1f µs (%.1f–%.1f); %.2f µs per event; rate kept %.0f %%; at most %.0f MiB resident; %.2f %% lost",
		each, slices.Min(one.perConnection), slices.Max(one.perConnection), each/eventsPerConnection, kept, slices.Max(one.memory), 100*one.lost)
	what := fmt.Sprintf("pipeline %s: CPU of the collector per connection", one)
	if one.goal == 0 {
		b.table.note(what, "%s", measured)
		return
	}
	goal := fmt.Sprintf("≤ %.0f µs", one.goal)
	if one.rate > 0 {
		goal += fmt.Sprintf(", ≥ %.0f %%", one.rate)
	}
	b.table.judge(each <= one.goal && kept >= one.rate, what, goal, "%s", measured)
}

// sink accepts OTLP and discards it. It is a process of its own, so that its CPU time is not part of the collector's.
type sink struct {
	*collector.Collector
	grpc, http string
}

func (b *bench) startSink() (*sink, error) {
	var grpc, http int
	if err := collector.FreePorts(&grpc, &http); err != nil {
		return nil, err
	}
	to := &sink{grpc: fmt.Sprintf("localhost:%d", grpc), http: fmt.Sprintf("localhost:%d", http)}
	c, err := collector.Start(collector.Command(b.binary, fmt.Sprintf(`yaml:
receivers: {otlp: {protocols: {grpc: {endpoint: %q, max_recv_msg_size_mib: 64}, http: {endpoint: %q, max_request_body_size: 67108864}}}}
exporters: {nop: {}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {logs: {receivers: [otlp], exporters: [nop]}}
`, to.grpc, to.http)))
	to.Collector = c
	return to, err
}

// export runs the connections under a collector that exports their events.
func (b *bench) export(one *exported, to *sink) (err error) {
	directory, err := os.MkdirTemp(filepath.Dir(b.binary), "exported")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	places := strings.NewReplacer("SINK_HTTP", "http://"+to.http, "SINK", to.grpc, "DIRECTORY", directory)
	these := asConfigured
	these.text = cmp.Or(one.receiver, these.text)
	these.binary, these.environment = one.binary, one.environment
	these.exporter, these.extension = places.Replace(one.text), places.Replace(one.extension)
	return b.with(these, func(s *subject) error {
		first, err := collector.ReadPage(s.telemetry)
		if err != nil {
			return err
		}
		before, err := s.CPU()
		if err != nil {
			return err
		}
		profiled := s.profile(strings.NewReplacer(" ", "-", ",", "").Replace(one.exporting.name), b.seconds)
		done, err := b.flatOut(b.pipelineConnections).Run(b.container)
		if err != nil {
			return err
		}
		if err := <-profiled; err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		after, err := s.idleCPU()
		if err != nil {
			return err
		}
		memory, err := s.Memory()
		if err != nil {
			return err
		}
		last, err := collector.ReadPage(s.telemetry)
		if err != nil {
			return err
		}
		grown := func(metric string) float64 { return last.Sum(metric, nil) - first.Sum(metric, nil) }
		// The records include events of the rest of the host, which cost as much.
		events, records := float64(eventsPerConnection*done.Opened), grown("otelcol_receiver_ebpf_records")
		lost := max(0, events-records) + grown("otelcol_receiver_refused_log_records") + grown("otelcol_receiver_failed_log_records") +
			grown("otelcol_exporter_send_failed_log_records") + grown("otelcol_exporter_enqueue_failed_log_records")
		one.lost = max(one.lost, lost/events)
		one.perConnection = append(one.perConnection, microseconds(after.Sub(before).Total())/max(records, 1)*eventsPerConnection)
		one.rates = append(one.rates, done.PerSecond())
		one.memory = append(one.memory, mebibytes(memory.Peak))
		return nil
	})
}

// idleCPU waits until the queues are empty, which send their last batch after a second, and returns the CPU time.
func (s *subject) idleCPU() (collector.CPU, error) {
	const (
		flushTimeout = 1500 * time.Millisecond
		pause        = 300 * time.Millisecond
		patience     = 2 * time.Minute
	)
	time.Sleep(flushTimeout)
	last, err := s.CPU()
	for deadline := time.Now().Add(patience); err == nil; {
		time.Sleep(pause)
		var now collector.CPU
		if now, err = s.CPU(); err == nil && now.Sub(last).Total() < pause/100 {
			return now, nil
		}
		if time.Now().After(deadline) {
			return now, fmt.Errorf("the collector is still busy after %s", patience)
		}
		last = now
	}
	return last, err
}
