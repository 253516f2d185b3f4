// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the built collector as its users have it: the binary that `make build` leaves, started with the
// configuration of this repository, real traffic, and everything that comes out read and checked.
package e2e
