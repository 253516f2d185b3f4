// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml
//go:generate go run ./internal/metricgen
//go:generate go test -run ^TestPublished$ . -write

// Package ebpfreceiver is the collector receiver `ebpf`: it loads small eBPF programs into the kernel and turns what
// they see into log records, one per event, and metrics, which the kernel itself aggregates.
package ebpfreceiver
