// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dups32 makes 250 calls of dup(-1) by the 32-bit system call table. In the 64-bit table, this number is that of socket.
const dups32 = "be fa 00 00 00  b8 29 00 00 00  bb ff ff ff ff  cd 80  ff ce  75 f0" + // 0: dup(-1); decl %esi; jnz 0b
	"31 ff  b8 e7 00 00 00  0f 05" // exit_group(0)

// CompatDups is how many calls TryCompatDups makes.
const CompatDups = 250

// TryCompatDups runs an amd64 program in the agent that makes 32-bit system calls, each dup(-1). It returns an error if this
// kernel has no 32-bit calls.
func (a *Agent) TryCompatDups() error {
	a.t.Helper()
	_, err := run.Try(a, Command{Path: codePath(a.t, "compat", dups32), Args: []string{"compat"}})
	return err
}

// vforks creates a child by vfork(). The child sleeps for VforkTime and ends.
const vforks = "b8 3a 00 00 00  0f 05  85 c0  75 1c" + // vfork(); jnz to the end
	"68 00 87 93 03  6a 00  48 89 e7  31 f6  b8 23 00 00 00  0f 05" + // nanosleep({0, 60000000}, 0)
	"31 ff  b8 3c 00 00 00  0f 05" + // exit(0)
	"31 ff  b8 e7 00 00 00  0f 05" // exit_group(0)

// VforkTime is how long Vfork waits for its child.
const VforkTime = 60 * time.Millisecond

// Vfork runs an amd64 program in the agent that calls vfork() once.
func (a *Agent) Vfork() {
	a.t.Helper()
	run.Call(a, Command{Path: codePath(a.t, "vfork", vforks), Args: []string{"vfork"}})
}

// codePath writes an executable with this machine code, given as hexadecimal digits, and returns its path.
func codePath(t testing.TB, name, digits string) string {
	t.Helper()
	code, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	require.NoError(t, err)
	path := filepath.Join(filepath.Dir(executable(t, agentProgram, "kernel-test-program")), name)
	require.NoError(t, os.WriteFile(path, program(t, code), 0o755))
	return path
}
