// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package irreversible has the tests that change settings which a kernel does not let be set back. They run last in the
// guests of test/tools/vmtest, whose kernels end with them, and nowhere else.
package irreversible
