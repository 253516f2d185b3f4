// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package histogram turns histograms that are kept in the kernel into OTLP.
//
// The kernel knows one thing: a table of upper bounds. A duration is counted in the slot of the first bound that is not
// below it (bpf/include/histogram.h). Which bounds these are, and what a slot means in OTLP, is decided here.
package histogram
