// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package testnet makes small networks for a single test: network namespaces, veth pairs between them, packet filters,
// sysctls, and frames and XDP programs of single interfaces. All of it is removed with the test. It needs root.
package testnet
