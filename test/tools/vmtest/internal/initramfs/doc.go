// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package initramfs packs what a kernel boots into: a cpio archive with files, and the kernel's own modules in the order in
// which they can be loaded.
package initramfs
