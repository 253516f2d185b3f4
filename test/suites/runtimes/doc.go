// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package runtimes runs containers with Debian's podman, Docker and containerd, and compares what the collector reports of them
// with what the runtimes and the containers say themselves. It builds the collector's image and runs that, too. All of it is in
// network and mount namespaces of its own, without a way out: no image is pulled, and nothing is left behind.
package runtimes
