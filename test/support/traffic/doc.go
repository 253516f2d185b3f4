// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package traffic makes traffic and other load whose every detail is known. Child processes do the work. They run the program
// in the folder agent, or the same binary as the test or command, which must call Main first.
//
// An Agent is a child of a test. It carries out one operation after another at the test's request (connect, send, delete a
// file, …) by raw system calls, and returns what it did: the ground truth for the telemetry.
//
// Connections, Drops and Loop repeat one operation many times, as fast as possible or at a fixed rate. They serve to measure
// the cost of a receiver and to check its counts.
package traffic
