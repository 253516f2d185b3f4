// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// The collector is the same, byte by byte, when it is built at another time in another folder.
func TestBuildIsReproducible(t *testing.T) {
	copied, root := t.TempDir(), testenv.Repository(t, ".")
	for name := range strings.FieldsSeq(run(t, "git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard")) {
		if content, err := os.ReadFile(filepath.Join(root, name)); err == nil {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(copied, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(copied, name), content, 0o600))
		}
	}
	builder := filepath.Join(copied, ".cache/bin/builder")
	require.NoError(t, os.MkdirAll(filepath.Dir(builder), 0o755))
	testenv.LinkOrCopy(t, testenv.Repository(t, ".cache/bin/builder"), builder)
	run(t, "make", "--directory", copied, "--assume-old="+builder, "build")

	sum := func(path string) [sha256.Size]byte { return sha256.Sum256(must(os.ReadFile(path))(t)) }
	assert.Equal(t, sum(testenv.Collector(t)), sum(filepath.Join(copied, "dist/otelcol-ebpf")))
}
