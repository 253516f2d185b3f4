// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package guide follows docs/add-a-program.md in a copy of the repository. testdata/program has an example program, `signal`.
// The test adds, compiles and runs it.
package guide
