// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package testhost makes parts of a host for a single test or benchmark: cgroups, with or without names of containers, limits
// of memory and disks, disks, file systems, mounts and swap. It needs root.
//
// New functions take a test and clean up at its end. Make functions are for commands, which have no test: they return an
// error, and the caller closes the result.
package testhost
