// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package guide follows the guide docs/add-a-program.md to the letter, in a copy of the repository: testdata/program is a
// further program, `signal`, which is added, compiled and run on the kernel.
package guide
