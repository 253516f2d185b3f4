// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the built collector, with the receiver of config.yaml and the nop exporter, and compares what
// it finds with what the collector promises. It ends with a table, and with status 0 whether or not each goal is met;
// another status means that a measurement failed, or that a metric was not exact.
//
// It needs root, and a machine that has nothing else to do. `go run ./test/tools/bench -h` lists its flags.
package main
