// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package provoke makes each program report something: once, for tests that wait for the event, and over and over, for
// the bench. What it knows of a program is in one file.
package provoke
