// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import "runtime"

// inNewThread runs f on an OS thread of its own that ends with it, so that what f does to the thread (entering
// a namespace, dropping capabilities) concerns no other thread.
func inNewThread(f func() error) error {
	result := make(chan error)
	go func() {
		// Never unlocked: the runtime ends the thread together with the goroutine.
		runtime.LockOSThread()
		result <- f()
	}()
	return <-result
}
