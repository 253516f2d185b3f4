// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package debian gets kernels as Debian packages them: from a private apt root, so that the machine's own sources stay as
// they are, always the newest build of a line, because older ones disappear from the archive.
package debian
