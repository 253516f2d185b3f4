// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package provoke makes each program report something: once, for tests that wait for the event, and repeatedly, for the
// bench and for the tests of overhead_limit. Each program has its own file.
package provoke
