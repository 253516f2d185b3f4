// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package testhost makes parts of a host that belong to one test or benchmark: cgroups, with or without the names of
// containers, limits of memory and disks, disks, file systems, mounts and swap. It needs root.
//
// What begins with New belongs to a test and goes away with it. What begins with Make returns an error and is to be
// closed: it is for commands, which have no test.
package testhost
