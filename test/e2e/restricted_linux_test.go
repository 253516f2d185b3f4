// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// restrictedEnv marks a process that gives something up and then becomes the program of its arguments.
const restrictedEnv = "OTELCOL_EBPF_E2E_RESTRICTED"

// restriction is what a collector has to do without.
type restriction struct {
	Capabilities []uintptr
	Mounts       []string // types of file systems
}

// restricted has the command run under a restriction.
func restricted(t *testing.T, cmd *exec.Cmd, r restriction) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	under := exec.Command(self, cmd.Args[1:]...)
	under.Args[0] = cmd.Path
	under.Env = append(os.Environ(), restrictedEnv+"="+string(text))
	under.SysProcAttr = cmd.SysProcAttr
	return under
}

// restrictedMain becomes the program, and does not return if this process is one that is to.
func restrictedMain() {
	text := os.Getenv(restrictedEnv)
	if text == "" {
		return
	}
	var r restriction
	err := json.Unmarshal([]byte(text), &r)
	if err == nil {
		err = r.impose()
	}
	if err == nil {
		err = syscall.Exec(os.Args[0], os.Args, slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, restrictedEnv+"=")
		}))
	}
	fmt.Fprintln(os.Stderr, "restricted:", err)
	os.Exit(1)
}

// impose gives up what is restricted, for the thread that will be the program.
func (r *restriction) impose() error {
	for _, c := range r.Capabilities {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	if len(r.Mounts) == 0 {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	mounts, err := os.ReadFile("/proc/thread-self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && slices.Contains(r.Mounts, f[2]) {
			if err := unix.Unmount(f[1], unix.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", f[1], err)
			}
		}
	}
	return nil
}
