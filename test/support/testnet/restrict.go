// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// WithoutCapabilities returns a function that takes the capabilities from all processes that its thread starts later,
// even as root.
func WithoutCapabilities(capabilities ...uintptr) func() error {
	return func() error {
		for _, c := range capabilities {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
				return fmt.Errorf("dropping capability %d: %w", c, err)
			}
		}
		return nil
	}
}

// WithCapabilities returns a function that takes all other capabilities from all processes that its thread starts later.
func WithCapabilities(kept ...uintptr) func() error {
	var others []uintptr
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if !slices.Contains(kept, c) {
			others = append(others, c)
		}
	}
	return WithoutCapabilities(others...)
}

// WithoutMounts returns a function that moves its thread to a mount namespace where no file system of that type is
// mounted.
func WithoutMounts(fstype string) func() error {
	return func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("making a mount namespace: %w", err)
		}
		if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("making the mounts private: %w", err)
		}
		mounts, err := os.ReadFile("/proc/thread-self/mountinfo")
		if err != nil {
			return fmt.Errorf("reading the mounts: %w", err)
		}
		for line := range strings.Lines(string(mounts)) {
			if at, found := mountOf(line, fstype); found {
				if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
					return fmt.Errorf("unmounting %s: %w", at, err)
				}
			}
		}
		return nil
	}
}
