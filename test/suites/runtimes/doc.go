// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package runtimes runs containers with Debian's podman, Docker and containerd, and compares what the collector reports of them
// with what the runtimes and the containers report. It also builds the collector's image and runs it. All of it is in network and mount
// namespaces of its own, without a route out: no image is pulled, and nothing is left behind.
package runtimes
