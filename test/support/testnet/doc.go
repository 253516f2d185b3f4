// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package testnet makes small networks that belong to one test: network namespaces, the veth pairs between them, packet
// filters, sysctls, and the frames and XDP programs of single interfaces. All of it goes away with the test. It needs root.
package testnet
