// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package guide follows docs/add-a-program.md in a copy of the repository. testdata/program has a further program,
// `signal`, which is added, compiled and run on the kernel.
package guide
