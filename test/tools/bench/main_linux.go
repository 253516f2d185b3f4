// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// options are the command line's.
type options struct {
	binary, config      string
	only                string
	programs            string
	exporters           string
	against             string
	connections         int
	rateConnections     int
	pipelineConnections int
	runs                int
	dropCount           int
	seconds             int
	profile             string
}

// measurements are in the order in which they run.
var measurements = []struct {
	name string
	run  func(*bench) error
}{
	{"exact", (*bench).exact},
	{"cpu", (*bench).cpu},
	{"pipelines", (*bench).pipelines},
	{"kernel", (*bench).kernel},
	{"rate", (*bench).rate},
	{"latency", (*bench).latency},
	{"drops", (*bench).drops},
	{"open", (*bench).openConnections},
	{"who", (*bench).who},
	{"programs", (*bench).programs},
	{"idle", (*bench).idle},
}

func main() {
	traffic.Main()
	var o options
	names := make([]string, len(measurements))
	for i, m := range measurements {
		names[i] = m.name
	}
	flag.StringVar(&o.binary, "collector", "dist/otelcol-ebpf", "the collector that `make build` built")
	flag.StringVar(&o.config, "config", "test/tools/bench/collector.yaml", "the configuration whose receiver is measured")
	flag.StringVar(&o.only, "only", strings.Join(names, ","), "the measurements to make")
	flag.StringVar(&o.programs, "programs", ".", "a regular expression of the programs that are measured one by one")
	flag.StringVar(&o.exporters, "exporters", ".", "a regular expression of the exporters that are measured one by one")
	flag.StringVar(&o.against, "against", "",
		"what the measurement of pipelines compares with, in between: environments and collectors, as in 'GOGC=400; /old/otelcol-ebpf'")
	flag.IntVar(&o.pipelineConnections, "pipeline-connections", 40_000, "connections of each run that measures an exporter")
	flag.IntVar(&o.connections, "connections", 400_000, "connections of the measurement of exactness")
	flag.IntVar(&o.rateConnections, "rate-connections", 200_000, "connections of each run that measures the connection rate")
	flag.IntVar(&o.runs, "runs", 5, "alternating runs with and without the receiver")
	flag.IntVar(&o.dropCount, "drops", 2_000_000, "packet drops of the measurement of drops")
	flag.IntVar(&o.seconds, "seconds", 5, "seconds of each run at a fixed rate")
	flag.StringVar(&o.profile, "profile", "", "an existing directory for CPU profiles of the collector (default none)")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("bench needs root: the collector loads BPF programs")
	}
	directory, err := os.MkdirTemp("", "otelcol-ebpf-bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	if o.binary, err = install(o.binary, directory); err != nil {
		return err
	}
	container, err := testhost.MakeContainer()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, container.Close()) }()
	b := &bench{options: o, container: container}
	describe()
	begin := time.Now()
	var failed []error
	only := strings.Split(o.only, ",")
	for _, m := range measurements {
		if !slices.Contains(only, m.name) {
			continue
		}
		fmt.Printf("%s ...\n", m.name)
		if err := m.run(b); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", m.name, err))
		}
	}
	b.residentMemory()
	fmt.Printf("\nafter %s, load %s:\n\n", time.Since(begin).Round(time.Second), loadAverage())
	b.table.print(os.Stdout)
	return errors.Join(failed...)
}

// install copies the collector, as users do. The page cache of a file that the linker has just written consists of large
// folios, and touching one byte makes a whole folio resident. That adds 30 MiB until the file is read from the disk again.
func install(binary, directory string) (path string, err error) {
	from, err := os.Open(binary)
	if err != nil {
		return "", fmt.Errorf("%w: run `make build` first", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	path = filepath.Join(directory, filepath.Base(binary))
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(to, from)
	return path, errors.Join(err, to.Close())
}

// describe prints the machine that is measured.
func describe() {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return
	}
	var cpus unix.CPUSet
	_ = unix.SchedGetaffinity(0, &cpus)
	fmt.Printf("%s %s %s, %d CPUs, %s, load %s\n", unix.ByteSliceToString(name.Sysname[:]), unix.ByteSliceToString(name.Release[:]),
		unix.ByteSliceToString(name.Machine[:]), cpus.Count(), processor(), loadAverage())
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// loadAverage is the load of the last minute. Figures taken under other load are useless.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
