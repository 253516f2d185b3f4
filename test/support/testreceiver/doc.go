// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package testreceiver runs the receiver in a test as the collector would run it, and keeps what comes out: log records,
// metrics and component status. Waiting is always for something seen, until a deadline.
package testreceiver
