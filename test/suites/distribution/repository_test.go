// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"context"
	"os"
	"os/exec"
)

const modulePath = "github.com/otelcol-ebpf/otelcol-ebpf"

// run runs a program in a directory and returns its combined output and its error.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_NAME=node", "GOWORK=off")
	output, err := cmd.CombinedOutput()
	return string(output), err
}
