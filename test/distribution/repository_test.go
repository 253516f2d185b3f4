// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	modulePath = "github.com/otelcol-ebpf/otelcol-ebpf"
	// statusGate makes the health_check extension know about component status.
	statusGate = "--feature-gates=extension.healthcheck.useComponentStatus"
)

// repository returns the absolute path of name, a path from the root of this repository.
func repository(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", filepath.FromSlash(name)))
	require.NoError(t, err)
	return path
}

// builtCollector returns the path of the binary that `make build` leaves, and skips the test where that has not run.
func builtCollector(t *testing.T) string {
	t.Helper()
	path := repository(t, "dist/otelcol-ebpf")
	if _, err := os.Stat(path); err != nil {
		reason := "the collector is not built, `make build` does that: " + err.Error()
		if os.Getenv("OTELCOL_EBPF_REQUIRE_KERNEL") == "1" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	return path
}

// run runs a program in a directory and returns what it prints on both outputs, and its error.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_NAME=node", "GOWORK=off")
	output, err := cmd.CombinedOutput()
	return string(output), err
}
