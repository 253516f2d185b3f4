// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the built collector, with the receiver as `make run` has it, and compares the results with the documented
// goals. The exporter is nop, but for the measurement of pipelines. It ends with a table. The exit status is 0 even if goals are
// missed; another status means that a measurement failed, or that a metric was not exact.
//
// It needs root, and an otherwise idle machine. `go run ./test/tools/bench -h` lists its flags.
package main
