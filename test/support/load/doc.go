// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package load makes loopback traffic as fast as the machine can, or at a fixed rate, and says exactly how much it made:
// the ground truth that metrics and costs are compared with. The work is done by child processes, which are the same
// executable run again; a program that uses the package calls Main first.
package load
