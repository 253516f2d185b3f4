// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package validfileprovider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// validate runs the command `validate` of this executable with the arguments of this process. In a process of its own, all factories are
// there, and whatever a configuration makes them do ends with it.
func validate(ctx context.Context) error {
	executable, err := executable()
	if err != nil {
		return fmt.Errorf("find this executable: %w", err)
	}
	//nolint:gosec // These are the arguments that the user has started this very executable with.
	return validateBy(exec.CommandContext(ctx, executable, append([]string{"validate"}, os.Args[1:]...)...))
}

// executable returns a path that starts this executable, even after an upgrade has replaced it.
func executable() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

func validateBy(cmd *exec.Cmd) error {
	output, err := cmd.CombinedOutput()
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) && ended.Exited() {
		return fmt.Errorf("%w: %s", errInvalid, strings.TrimPrefix(strings.TrimSpace(string(output)), "Error: "))
	}
	if err != nil {
		return fmt.Errorf("validate the configuration: %w", err)
	}
	return nil
}
