// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package irreversible tests settings that a kernel does not allow to reset. The tests run last in the guests of
// test/tools/vmtest, whose kernels are shut down afterwards, and nowhere else.
package irreversible
