// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package usecases runs the queries of docs/use-cases.md, unchanged, on what the built collector reports of real traffic:
// PromQL on a Prometheus server, LogsQL on a VictoriaLogs server, and jq on the file exporter's file.
package usecases
