// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package traffic makes network traffic whose every detail is known. An Agent is a child process (the test binary
// run again) that carries out one socket call after another as the test asks for them, by raw system calls, and
// reports what it did: the ground truth that telemetry is compared with.
package traffic
