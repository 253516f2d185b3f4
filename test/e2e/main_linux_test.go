// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/load"
)

func TestMain(m *testing.M) {
	load.Main()
	trafficMain()
	restrictedMain()
	os.Exit(m.Run())
}

// requireEnv is the variable that turns a test that cannot run into one that fails; CI sets it to 1.
const requireEnv = "OTELCOL_EBPF_REQUIRE_KERNEL"

// missing ends a test for something that this environment lacks.
func missing(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv(requireEnv) == "1" {
		t.Fatalf("%s=1, but this test cannot run: %s", requireEnv, reason)
	}
	t.Skip(reason)
}

// repository returns the absolute path of a path in this repository.
func repository(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(filepath.Join("..", "..", path))
	require.NoError(t, err)
	return absolute
}

// binary returns the path of the built collector, which OTELCOL_EBPF_COLLECTOR may name.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("OTELCOL_EBPF_COLLECTOR")
	if path == "" {
		path = repository(t, "dist/otelcol-ebpf")
	}
	if _, err := os.Stat(path); err != nil {
		missing(t, "the collector is not built, `make build` does that: "+err.Error())
	}
	return path
}

// requireKernel ends a test where eBPF programs can't be loaded.
func requireKernel(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "it needs root to load eBPF programs")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		missing(t, "this kernel has no BTF: "+err.Error())
	}
}

// prometheusBinary returns the path of Debian's Prometheus server.
func prometheusBinary(t *testing.T) string {
	t.Helper()
	path := repository(t, ".cache/prometheus/usr/bin/prometheus")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	path, err := exec.LookPath("prometheus")
	if err != nil {
		missing(t, "there is no Prometheus server, `make prometheus` fetches one: "+err.Error())
	}
	return path
}
