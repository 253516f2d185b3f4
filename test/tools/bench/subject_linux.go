// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// bench is one run of this command.
type bench struct {
	options
	// container is the cgroup of the traffic, so that its metrics are separate from those of the rest of the host.
	container *testhost.Cgroup
	table     table
	// peak is the memory of the collector with the highest resident memory so far.
	peak collector.Memory
}

// subject is a collector under measurement.
type subject struct {
	*collector.Collector
	bench    *bench
	page     string
	profiles string
	// telemetry has the collector's own metrics.
	telemetry string
}

// settings override those of a receiver in the configuration file.
type settings struct {
	receiver, text string
	// exporter takes the events; nop by default. extension is one that it needs.
	exporter, extension string
	// binary is the collector, if it is not the one of the command line. environment is added to this process's.
	binary      string
	environment []string
}

var (
	asConfigured  = settings{receiver: "ebpf", text: "{}"}
	withoutEvents = settings{receiver: "ebpf", text: "{programs: {connection: {events: false}, packet_drop: {events: false}}}"}
	leavingOut    = settings{receiver: "ebpf", text: "{exclude: {loopback: true}}"}
	withoutLimit  = settings{receiver: "ebpf", text: "{programs: {packet_drop: {event_limit: 1000000000}}}"}
)

// alone returns the settings of an additional receiver with a single program.
func alone(program, text string) settings {
	return settings{receiver: "ebpf/alone", text: fmt.Sprintf("{programs: {%s: %s}}", program, text)}
}

// start starts a collector with these settings on top of the configuration file.
func (b *bench) start(with settings) (*subject, error) {
	var page, health, profiles, telemetry int
	if err := collector.FreePorts(&page, &health, &profiles, &telemetry); err != nil {
		return nil, err
	}
	extensions := []string{"healthcheckv2"}
	if b.profile != "" {
		extensions = append(extensions, "pprof")
	}
	if with.extension != "" {
		extensions = append(extensions, name(with.extension))
	}
	with.exporter = cmp.Or(with.exporter, "nop: {}")
	override := fmt.Sprintf(`yaml:
receivers: {%[1]s: %[2]s}
exporters:
  %[8]s
  prometheus: {endpoint: "localhost:%[3]d", send_timestamps: true}
extensions:
  healthcheckv2: {use_v2: true, http: {endpoint: "localhost:%[4]d"}}
  pprof: {endpoint: "localhost:%[5]d"}
  %[9]s
service:
  extensions: [%[6]s]
  telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: localhost, port: %[7]d}}}}]}}
  pipelines: {logs: {receivers: [%[1]s], exporters: [%[10]s]}, metrics: {receivers: [%[1]s]}}
`, with.receiver, with.text, page, health, profiles, strings.Join(extensions, ", "), telemetry,
		with.exporter, with.extension, name(with.exporter))
	command := collector.Command(cmp.Or(with.binary, b.binary), b.config, override)
	command.Env = append(os.Environ(), with.environment...)
	c, err := collector.Start(command)
	if err != nil {
		return nil, err
	}
	// Wait until the collector is idle after its start.
	time.Sleep(3 * time.Second)
	return &subject{
		Collector: c, bench: b,
		page:      fmt.Sprintf("http://localhost:%d/metrics", page),
		profiles:  fmt.Sprintf("http://localhost:%d/debug/pprof/profile", profiles),
		telemetry: fmt.Sprintf("http://localhost:%d/metrics", telemetry),
	}, nil
}

// name returns the name of a component in the configuration.
func name(component string) string {
	name, _, _ := strings.Cut(component, ":")
	return name
}

// with runs f with a collector of these settings.
func (b *bench) with(these settings, f func(*subject) error) error {
	s, err := b.start(these)
	if err != nil {
		return err
	}
	err = f(s)
	m, errMemory := s.Memory()
	if m.Peak > b.peak.Peak {
		b.peak = m
	}
	return errors.Join(err, errMemory, s.Stop())
}

// fresh returns the metrics that were read from the kernel after a time.
func (s *subject) fresh(after time.Time) (collector.Page, error) {
	const patience = 30 * time.Second // more than two collection intervals
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		page, err := collector.ReadPage(s.page)
		if err != nil {
			return nil, err
		}
		if page.Time().After(after) {
			return page, nil
		}
	}
	return nil, fmt.Errorf("no new metrics within %s", patience)
}

// profile writes a CPU profile of the next seconds. The channel receives the error or nil when the profile is written.
func (s *subject) profile(name string, seconds int) <-chan error {
	done := make(chan error, 1)
	if s.bench.options.profile == "" {
		done <- nil
		return done
	}
	go func() {
		done <- func() error {
			response, err := http.Get(fmt.Sprintf("%s?seconds=%d", s.profiles, seconds))
			if err != nil {
				return err
			}
			defer func() { _ = response.Body.Close() }()
			text, err := io.ReadAll(response.Body)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(s.bench.options.profile, name+".pprof"), text, 0o600)
		}()
	}()
	return done
}

// clients is the number of clients that connect as fast as they can: one per CPU, each with its own server.
const clients = 2

func (b *bench) flatOut(count int) traffic.Connections {
	return traffic.Connections{Count: count, Pairs: clients, Pinned: true}
}

// connectionRate is the fixed rate, in connections per second. eventsPerConnection counts connect, accept, and a close of
// each side.
const (
	connectionRate      = 5000
	eventsPerConnection = 4
)

func (b *bench) atRate() traffic.Connections {
	return traffic.Connections{Count: connectionRate * b.seconds, Pairs: 1, Rate: connectionRate}
}

// settle is longer than an event can be delayed: a batch waits at most 200 ms to fill.
const settle = 500 * time.Millisecond

func mebibytes(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

func microseconds(d time.Duration) float64 { return float64(d) / 1e3 }
