// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the built collector as users run it: the binary of `make build` with the configuration of this
// repository. It makes real traffic, and checks everything that comes out.
package e2e
