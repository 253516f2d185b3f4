// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package testenv finds what tests need: the repository, the built collector, and a kernel that accepts eBPF programs. It
// also scales timeouts. A missing need skips the test with the reason; in CI it fails the test.
package testenv

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// RequireEnv is the variable that makes a test that cannot run fail instead of skip. CI sets it to 1.
const RequireEnv = "OTELCOL_EBPF_REQUIRE_KERNEL"

// Missing skips a test because this environment lacks something. With OTELCOL_EBPF_REQUIRE_KERNEL=1 it fails the test.
func Missing(tb testing.TB, reason string) {
	tb.Helper()
	if os.Getenv(RequireEnv) == "1" {
		tb.Fatalf("%s=1, but this test cannot run: %s", RequireEnv, reason)
	}
	tb.Skip(reason)
}

// Repository returns the absolute path of a path in this repository. The root is the folder with the ocb manifest.
func Repository(tb testing.TB, path string) string {
	tb.Helper()
	directory, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(directory, "builder-config.yaml")); err == nil {
			return filepath.Join(directory, filepath.FromSlash(path))
		}
		if parent := filepath.Dir(directory); parent != directory {
			directory = parent
			continue
		}
		tb.Fatal("no folder above this package has a builder-config.yaml")
	}
}

// Collector returns the path of the built collector. OTELCOL_EBPF_COLLECTOR overrides it.
func Collector(tb testing.TB) string {
	tb.Helper()
	return built(tb, "OTELCOL_EBPF_COLLECTOR", "dist/otelcol-ebpf", "build")
}

// FullCollector returns the path of the collector for gateways and Kubernetes. OTELCOL_EBPF_FULL_COLLECTOR overrides it.
func FullCollector(tb testing.TB) string {
	tb.Helper()
	return built(tb, "OTELCOL_EBPF_FULL_COLLECTOR", "dist-full/otelcol-ebpf-full", "build-full")
}

// built returns the path in a variable or, if that is not set, the result of a target of the Makefile.
func built(tb testing.TB, variable, result, target string) string {
	tb.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = Repository(tb, result)
	}
	if _, err := os.Stat(path); err != nil {
		Missing(tb, "the collector is not built, run `make "+target+"`: "+err.Error())
	}
	return path
}

// RequireKernel skips a test where BPF programs cannot be loaded.
func RequireKernel(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		Missing(tb, "loading BPF programs needs root")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		Missing(tb, "this kernel has no BTF: "+err.Error())
	}
}

// Lacking skips a test because this kernel lacks the feature under test. test/tools/vmtest lists the tests that may skip,
// with the kernels. On the kernel of CI, each skip is a failure.
func Lacking(tb testing.TB, what string) {
	tb.Helper()
	tb.Skip("this kernel lacks " + what)
}

// Disposable reports whether this kernel is shut down after the tests, so that a test may change it irreversibly.
// OTELCOL_EBPF_TEST_DISPOSABLE=1 sets it.
func Disposable() bool { return os.Getenv("OTELCOL_EBPF_TEST_DISPOSABLE") == "1" }

// Patiently scales a timeout by OTELCOL_EBPF_TEST_PATIENCE, for machines that are as slow as emulated ones.
func Patiently(d time.Duration) time.Duration {
	n, err := strconv.Atoi(os.Getenv("OTELCOL_EBPF_TEST_PATIENCE"))
	if err != nil || n < 1 {
		n = 1
	}
	return time.Duration(n) * d
}

// LinkOrCopy gives a file another path, where everybody may execute it. It links the file, or copies it to another file
// system.
func LinkOrCopy(tb testing.TB, from, to string) {
	tb.Helper()
	if os.Link(from, to) != nil {
		Copy(tb, from, to)
	}
}

// Copy copies a file. Everybody may execute the copy.
func Copy(tb testing.TB, from, to string) {
	tb.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o755)
	}
	if err != nil {
		tb.Fatal(err)
	}
}
