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

	"github.com/stretchr/testify/require"
)

// dups32 makes 250 calls of dup(-1) by the 32-bit table, in which its number is that of socket in the 64-bit one.
const dups32 = "be fa 00 00 00  b8 29 00 00 00  bb ff ff ff ff  cd 80  ff ce  75 f0" + // 0: dup(-1); decl %esi; jnz 0b
	"31 ff  b8 e7 00 00 00  0f 05" // exit_group(0)

// CompatDups is how many calls TryCompatDups makes.
const CompatDups = 250

// TryCompatDups has the agent run a program for amd64 that makes calls of 32-bit processes, dup(-1) each. It returns an
// error where this kernel has no such calls.
func (a *Agent) TryCompatDups() error {
	a.t.Helper()
	_, err := run.Try(a, Command{Path: compatPath(a.t), Args: []string{"compat"}})
	return err
}

func compatPath(t testing.TB) string {
	t.Helper()
	code, err := hex.DecodeString(strings.ReplaceAll(dups32, " ", ""))
	require.NoError(t, err)
	path := filepath.Join(filepath.Dir(executable(t, "kernel-test-program")), "compat")
	require.NoError(t, os.WriteFile(path, program(t, code), 0o755))
	return path
}
