// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package testreceiver runs the receiver in a test as the collector would run it, and keeps its output: log records, metrics
// and component status. It waits for conditions with a deadline, never for a fixed time.
package testreceiver
