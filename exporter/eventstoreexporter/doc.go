// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package eventstoreexporter is the collector exporter `event_store`: it keeps recent events, in SQLite files or in VictoriaLogs,
// and answers questions about them over HTTP.
package eventstoreexporter
