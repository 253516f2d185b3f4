// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:generate mdatagen metadata.yaml
//go:generate go run ./internal/metricgen
//go:generate go test -run ^TestPublished$ . -write

// Package ebpfreceiver is the collector receiver `ebpf`. It loads small eBPF programs into the kernel, and turns their events
// into log records, and the counts that they keep in the kernel into metrics.
package ebpfreceiver
