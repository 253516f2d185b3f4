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

// validate runs this executable's command `validate` with the arguments that this process was started with. Only a process of
// its own has the factories of all components, and it takes with it whatever a configuration makes them do.
func validate(ctx context.Context) error {
	executable, err := executable()
	if err != nil {
		return fmt.Errorf("find this executable: %w", err)
	}
	//nolint:gosec // These are the arguments that the user has started this very executable with.
	return validateBy(exec.CommandContext(ctx, executable, append([]string{"validate"}, os.Args[1:]...)...))
}

// executable returns a path that starts this executable, also when another one has replaced it since.
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
