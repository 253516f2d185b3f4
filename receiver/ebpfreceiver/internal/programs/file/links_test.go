// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestWatchedPaths(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	in := func(name string) string { return filepath.Join(dir, name) }
	long := strings.Repeat("l", 250)
	require.NoError(t, os.MkdirAll(in("run/app"), 0o700))
	require.NoError(t, os.Mkdir(in(long), 0o700))
	for link, target := range map[string]string{"var-run": "run", "to-link": "var-run/app", "dangling": "nowhere", "to-long": long} {
		require.NoError(t, os.Symlink(target, in(link)))
	}
	for name, tt := range map[string]struct {
		given  string
		want   []string
		levels []zapcore.Level
	}{
		"no link":                   {in("run/app"), []string{in("run/app")}, nil},
		"the root":                  {"/", []string{"/"}, nil},
		"through a link":            {in("var-run/app"), []string{in("var-run/app"), in("run/app")}, []zapcore.Level{zap.InfoLevel}},
		"a link to a link":          {in("to-link"), []string{in("to-link"), in("run/app")}, []zapcore.Level{zap.InfoLevel}},
		"missing":                   {in("none/x"), []string{in("none/x")}, []zapcore.Level{zap.WarnLevel}},
		"a pattern":                 {in("run/*"), []string{in("run/*")}, []zapcore.Level{zap.WarnLevel}},
		"a link to nothing":         {in("dangling"), []string{in("dangling")}, []zapcore.Level{zap.WarnLevel}},
		"missing behind a link":     {in("var-run/x/y"), []string{in("var-run/x/y"), in("run/x/y")}, []zapcore.Level{zap.WarnLevel, zap.InfoLevel}},
		"a link to a path too long": {in("to-long"), []string{in("to-long")}, []zapcore.Level{zap.WarnLevel}},
	} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zap.DebugLevel)
			assert.Equal(t, tt.want, watchedPaths([]string{tt.given}, zap.New(core)))
			var levels []zapcore.Level
			for _, entry := range logs.All() {
				levels = append(levels, entry.Level)
				assert.Equal(t, tt.given, entry.ContextMap()["path"])
			}
			assert.Equal(t, tt.levels, levels)
		})
	}
}
