// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package terminalexporter is the collector exporter `terminal`: one line per log record on standard output, for people.
package terminalexporter
