// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inNewThread runs f on a new OS thread that ends with f. What f does to its thread (entering a namespace, dropping
// capabilities) does not affect other threads. It is not the first thread of the process, whose namespaces /proc/self shows.
func inNewThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			result <- inNewThread(f)
			runtime.UnlockOSThread()
			return
		}
		// Do not unlock: then the runtime ends the thread together with the goroutine.
		result <- f()
	}()
	return <-result
}
