// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package initramfs

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseModinfo(t *testing.T) {
	assert.Equal(t, []string{"nfnetlink", "libcrc32c"},
		parseModinfo([]byte("license=GPL\x00depends=nfnetlink,libcrc32c\x00retpoline=Y\x00\x00name=nf_tables\x00")))
	assert.Empty(t, parseModinfo([]byte("depends=\x00name=x\x00")))
	assert.Empty(t, parseModinfo(nil))
}

func TestLoad(t *testing.T) {
	// The content of a fake module is its list of dependencies.
	dir := t.TempDir()
	gzipped := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.String()
	}
	for name, content := range map[string]string{
		"net/nf_tables.ko":     "nfnetlink lib-crc",
		"net/nfnetlink.ko.gz":  gzipped("builtin"),
		"lib/lib_crc.ko":       "",
		"net/nft-limit.ko":     "nf_tables",
		"net/unwanted.ko":      "",
		"net/modules.order":    "net/nf_tables.ko",
		"drivers/net/a.ko/x.c": "",
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
	m, err := FindModules(dir)
	require.NoError(t, err)
	m.needs = func(content []byte) ([]string, error) { return strings.Fields(string(content)), nil }

	modules, err := m.Load([]string{"nft_limit", "nf_tables", "builtin_too"})
	require.NoError(t, err)
	var names []string
	for _, module := range modules {
		names = append(names, module.Name)
	}
	assert.Equal(t, []string{"nfnetlink", "lib_crc", "nf_tables", "nft_limit"}, names)
	assert.Equal(t, "builtin", string(modules[0].Content))
}

func TestLoadOfWhatIsNoModule(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "veth.ko"), []byte("no ELF"), 0o600))
	m, err := FindModules(dir)
	require.NoError(t, err)
	_, err = m.Load([]string{"veth"})
	assert.ErrorContains(t, err, "veth.ko")
	_, err = FindModules(filepath.Join(dir, "missing"))
	assert.Error(t, err)
}
