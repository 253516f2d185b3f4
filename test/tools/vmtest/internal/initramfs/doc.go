// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package initramfs writes an initramfs: a cpio archive with files, and with the kernel's own modules in loading order.
package initramfs
