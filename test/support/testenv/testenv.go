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

// RequireEnv is the variable that turns a test that cannot run into one that fails; CI sets it to 1.
const RequireEnv = "OTELCOL_EBPF_REQUIRE_KERNEL"

// Missing skips a test for something that this environment lacks; with OTELCOL_EBPF_REQUIRE_KERNEL=1 it fails the test.
func Missing(tb testing.TB, reason string) {
	tb.Helper()
	if os.Getenv(RequireEnv) == "1" {
		tb.Fatalf("%s=1, but this test cannot run: %s", RequireEnv, reason)
	}
	tb.Skip(reason)
}

// Repository returns the absolute path of a path in this repository, whose root is the folder with the ocb manifest.
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

// Collector returns the path of the built collector, which OTELCOL_EBPF_COLLECTOR may name.
func Collector(tb testing.TB) string {
	tb.Helper()
	return built(tb, "OTELCOL_EBPF_COLLECTOR", "dist/otelcol-ebpf", "build")
}

// FullCollector returns the path of the one for gateways and Kubernetes, which OTELCOL_EBPF_FULL_COLLECTOR may name.
func FullCollector(tb testing.TB) string {
	tb.Helper()
	return built(tb, "OTELCOL_EBPF_FULL_COLLECTOR", "dist-full/otelcol-ebpf-full", "build-full")
}

// built returns the path that a variable names or, without it, the one where a target of the Makefile leaves its result.
func built(tb testing.TB, variable, result, target string) string {
	tb.Helper()
	path := os.Getenv(variable)
	if path == "" {
		path = Repository(tb, result)
	}
	if _, err := os.Stat(path); err != nil {
		Missing(tb, "the collector is not built, `make "+target+"` does that: "+err.Error())
	}
	return path
}

// RequireKernel ends a test where eBPF programs can't be loaded.
func RequireKernel(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		Missing(tb, "it needs root to load eBPF programs")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		Missing(tb, "this kernel has no BTF: "+err.Error())
	}
}

// Lacking skips the test for something that this kernel lacks, so that there is nothing to go wrong. The kernels that may
// lack it are listed beside the test's name in test/tools/vmtest; on the kernel of CI, each skip is a failure.
func Lacking(tb testing.TB, what string) {
	tb.Helper()
	tb.Skip("this kernel lacks " + what)
}

// Disposable reports whether this kernel ends with the tests, so that what can't be undone does not matter:
// OTELCOL_EBPF_TEST_DISPOSABLE=1 says so.
func Disposable() bool { return os.Getenv("OTELCOL_EBPF_TEST_DISPOSABLE") == "1" }

// Patiently is how long a test waits for what usually comes within d: OTELCOL_EBPF_TEST_PATIENCE times as long, for
// machines as slow as emulated ones.
func Patiently(d time.Duration) time.Duration {
	n, err := strconv.Atoi(os.Getenv("OTELCOL_EBPF_TEST_PATIENCE"))
	if err != nil || n < 1 {
		n = 1
	}
	return time.Duration(n) * d
}

// LinkOrCopy gives a file another path, at which everybody may execute it. A link costs nothing; another file system takes
// a copy.
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
