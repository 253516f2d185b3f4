// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package rig runs the receiver in a test as the collector would run it, and holds what comes out of it: log records,
// metrics and component status. Waiting is always for something seen, until a deadline.
package testreceiver
