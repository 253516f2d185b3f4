// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import "runtime"

// inNewThread runs f on a new OS thread that ends with f. What f does to its thread (entering a namespace, dropping
// capabilities) does not affect other threads.
func inNewThread(f func() error) error {
	result := make(chan error)
	go func() {
		// Do not unlock: then the runtime ends the thread together with the goroutine.
		runtime.LockOSThread()
		result <- f()
	}()
	return <-result
}
