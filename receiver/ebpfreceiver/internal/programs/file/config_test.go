// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Events)
	assert.Empty(t, c.Opens.Paths, "they cost time at every open")
	require.NotNil(t, c.EventLimit)
	assert.Equal(t, 1000, *c.EventLimit)
	*c.EventLimit = -1
	assert.Equal(t, 1000, *defaultConfig().EventLimit, "defaults are not shared")
	require.ErrorContains(t, c.Validate(), "event_limit: -1 is not a positive number")
}

func TestValidateOpens(t *testing.T) {
	longest := "/" + strings.Repeat("x", maxPathLength-1)
	for _, paths := range [][]string{{"/"}, {"/etc", "/etc/passwd", "/var/lib/a b"}, {longest}, many(maxPaths)} {
		require.NoError(t, (&Opens{Paths: paths, WriteOnly: true}).validate())
	}
	for _, tt := range []struct {
		opens Opens
		want  string
	}{
		{Opens{WriteOnly: true}, "opens::write_only: no opens are reported without opens::paths; list some, such as /etc, or leave the key out"},
		{Opens{Paths: []string{"/etc", "etc"}}, `opens::paths::1: "etc" is not absolute; begin it with a slash`},
		{Opens{Paths: []string{""}}, `opens::paths::0: "" is not absolute`},
		{Opens{Paths: []string{"/etc/"}}, `opens::paths::0: "/etc/" is not the shortest form of that path; write "/etc"`},
		{Opens{Paths: []string{"/etc/../tmp"}}, `opens::paths::0: "/etc/../tmp" is not the shortest form of that path; write "/tmp"`},
		{Opens{Paths: []string{"/a\x00b"}}, `opens::paths::0: "/a\x00b" has a zero byte, which no path has`},
		{Opens{Paths: []string{longest + "x"}}, "has 255 bytes, and room for 254; list a directory above it"},
		{Opens{Paths: []string{"/etc", "/tmp", "/etc"}}, `opens::paths::2: "/etc" is listed twice`},
		{Opens{Paths: many(maxPaths + 1)}, "opens::paths: there are 65, and room for 64; list directories above them"},
	} {
		require.ErrorContains(t, tt.opens.validate(), tt.want)
	}
	all := (&Opens{Paths: []string{"a", "/b/"}}).validate()
	require.ErrorContains(t, all, "opens::paths::0")
	require.ErrorContains(t, all, "opens::paths::1", "all errors at once")
}

func many(n int) (paths []string) {
	for i := range n {
		paths = append(paths, fmt.Sprint("/", i))
	}
	return paths
}

func TestPrefixes(t *testing.T) {
	text := func(p bpf.FilePrefix) string { return string(common.Text(p.Text[:])) }
	of := prefixesOf("/etc")
	require.Len(t, of, 2)
	assert.Equal(t, "/etc", text(of[0]))
	assert.EqualValues(t, 40, of[0].Length, "including the terminating zero")
	assert.Equal(t, "/etc/", text(of[1]))
	assert.EqualValues(t, 40, of[1].Length)
	root := prefixesOf("/")
	require.Len(t, root, 1)
	assert.EqualValues(t, 8, root[0].Length)
}

func TestVariables(t *testing.T) {
	host := programtest.Host(t)
	config := defaultConfig()
	variables := newProgram(config, host).Variables()
	assert.Equal(t, false, variables[bpf.FileVarReportOpens])
	assert.Equal(t, false, variables[bpf.FileVarOpensWriteOnly])
	config.Opens = Opens{Paths: []string{"/etc"}, WriteOnly: true}
	variables = newProgram(config, host).Variables()
	assert.Equal(t, true, variables[bpf.FileVarReportOpens])
	assert.Equal(t, true, variables[bpf.FileVarOpensWriteOnly])
}

func TestEvents(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	deletion, open := uint32(1)<<bpf.FileEventIdEVENT_DELETE, uint32(1)<<bpf.FileEventIdEVENT_OPEN
	assert.Equal(t, deletion|open, p.Events())
	host.Events.EbpfFileDelete.Enabled = false
	assert.Equal(t, open, p.Events())
}

// Every function of the object is part of the hook. Opens are hooked only if they are asked for.
func TestHooks(t *testing.T) {
	config := defaultConfig()
	host := programtest.Host(t)
	symbols := filepath.Join(t.TempDir(), "kallsyms")
	require.NoError(t, os.WriteFile(symbols, []byte("0 t vfs_rmdir.part.0\n"), 0o600))
	host.Symbols = kernel.SymbolsIn(symbols)
	assert.Equal(t, "tracepoint/syscalls/sys_exit_unlinkat", newProgram(config, host).Hooks()[0].Variants[0].Hook, "a split function does not see all deletions")

	require.NoError(t, os.WriteFile(symbols, []byte("0 T vfs_rmdir\n"), 0o600))
	p := newProgram(config, host)
	assert.Equal(t, "fexit/vfs_unlink", p.Hooks()[0].Variants[0].Hook)
	spec, err := p.Spec()
	require.NoError(t, err)
	deletions := functionsOf(t, p, spec)
	config.Opens.Paths = []string{"/etc"}
	all := functionsOf(t, p, spec)
	var opens []string
	for name := range spec.Programs {
		assert.True(t, all[name] || runtime.GOARCH != "amd64", name)
		if !deletions[name] {
			opens = append(opens, name)
		}
	}
	if runtime.GOARCH == "amd64" {
		assert.ElementsMatch(t, []string{
			bpf.FileProgFileOpen, bpf.FileProgFileOpenNewer, bpf.FileProgFileExitOpen, bpf.FileProgFileExitCreat,
			bpf.FileProgFileExitOpenat, bpf.FileProgFileExitOpenat2,
		}, opens)
	}
}

func functionsOf(t *testing.T, p program.Program, spec *ebpf.CollectionSpec) map[string]bool {
	t.Helper()
	functions := map[string]bool{}
	hooks := p.Hooks()
	require.Len(t, hooks, 1)
	var add func(v program.Variant)
	add = func(v program.Variant) {
		require.Contains(t, spec.Programs, v.Function)
		section := spec.Programs[v.Function].SectionName
		assert.Equal(t, section, v.Hook)
		functions[v.Function] = true
		for _, with := range v.With {
			add(with)
		}
	}
	variants := hooks[0].Variants
	for _, v := range variants {
		add(v)
	}
	assert.False(t, variants[0].Needs.Tracefs)
	assert.False(t, variants[len(variants)-1].Needs.Tracefs, "the last variant must not need tracefs")
	return functions
}
