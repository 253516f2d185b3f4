// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package traffic makes load on the kernel whose every detail is known. All of it is done by child processes. They are
// the program of the folder agent, or the test binary or command itself, run again: whoever uses the package calls Main first.
//
// An Agent is a child of a test. It carries out one operation after another as the test asks for them (connect, send,
// delete a file, …), by raw system calls, and returns what it did: the ground truth that telemetry is compared with.
//
// Connections, Drops and Loop are masses of the same operation, as fast as the machine can or at a fixed rate. They
// measure what a receiver costs, and count what its metrics have to say.
package traffic
