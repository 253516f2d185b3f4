// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package lab builds the small networks that kernel tests run their traffic in: network namespaces joined by veth
// pairs, packet filters, sysctls and cgroups. All of it belongs to one test and goes away with it. It needs root.
package testnet
