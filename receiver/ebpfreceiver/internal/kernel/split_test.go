// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kallsyms")
	require.NoError(t, os.WriteFile(file, []byte(`0000000000000000 t vfs_rmdir.part.0
0000000000000000 t vfs_rmdir.constprop.0
0000000000000000 T vfs_rmdir
0000000000000000 T vfs_unlink
0000000000000000 t vfs_unlink.cold
0000000000000000 t vfs_unlink_all.part.0
0000000000000000 t do_open.isra.0
0000000000000000 t helper.part.0	[module]
`), 0o600))
	s := SymbolsIn(file)
	for _, functions := range [][]string{{"vfs_rmdir", "vfs_unlink"}, {"vfs_rmdir"}} {
		split, err := s.Split(functions...)
		require.NoError(t, err)
		assert.Equal(t, []string{"vfs_rmdir"}, split)
	}
	split, err := s.Split("vfs_unlink", "vfs_rename")
	require.NoError(t, err)
	assert.Empty(t, split)

	_, err = SymbolsIn(filepath.Join(t.TempDir(), "none")).Split("vfs_unlink")
	require.ErrorIs(t, err, os.ErrNotExist)
}
