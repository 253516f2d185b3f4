// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml

// Package eventstoreexporter is the collector exporter `event_store`: it keeps recent events on the host, in SQLite files, and
// answers questions about them over HTTP.
package eventstoreexporter
