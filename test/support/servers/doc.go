// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package servers starts servers for tests: they listen on loopback only, and end with the test.
package servers
