// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package debian downloads kernels that Debian packages. It uses a private apt root, so that the machine's own sources stay
// unchanged, and always the newest build of a line, because older ones disappear from the archive.
package debian
