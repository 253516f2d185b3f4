// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
func TestRecordsOfThisKernel(t *testing.T) {
	dir := t.TempDir()
	config := defaultConfig()
	config.EventLimit = nil // other processes delete files, too
	config.Opens.Paths = []string{dir}
	long := filepath.Join(dir, strings.Repeat("d", 255))
	require.NoError(t, os.Mkdir(long, 0o700))
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: config}, func() {
		for name, operation := range map[string]func(string) error{
			"file":      os.Remove,
			"directory": os.Remove,
			"renamed":   func(path string) error { return os.Rename(filepath.Join(dir, "other"), path) },
		} {
			path := filepath.Join(dir, name)
			if name == "directory" {
				require.NoError(t, os.Mkdir(path, 0o700))
			} else {
				require.NoError(t, os.WriteFile(path, nil, 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o600))
			}
			require.NoError(t, operation(path))
		}
		require.NoError(t, os.Remove(long))
	})
	named := map[string][]byte{}
	for _, raw := range records {
		e, _ := common.View[bpf.FileEvent](raw)
		switch {
		case int(e.Owner.Pid) != os.Getpid() || e.Error != 0:
		case e.Length >= 256:
			named["long"] = raw
		default:
			named[append(kinds[:], "open")[e.Operation]] = raw
		}
	}
	programtest.CompareRecords(t, named)
}

// oneWay is the program with one of its variants.
type oneWay struct {
	program.Program
	variant program.Variant
}

func (w oneWay) Hooks() []program.Hook {
	return []program.Hook{{Variants: []program.Variant{w.variant}}}
}

// Each variant that this kernel accepts gives the same events. The last one always exists.
func TestEveryWay(t *testing.T) {
	dir := t.TempDir()
	config := defaultConfig()
	config.EventLimit = nil // other processes delete files, too
	config.Opens.Paths = []string{dir}
	options := programtest.LiveOptions(t)
	options.Emit = nil
	variants := newProgram(config, &program.Host{Kernel: options.Kernel, Settings: options.Settings}).Hooks()[0].Variants
	for i, v := range variants {
		way := Definition
		way.New = func(cfg program.Config, host *program.Host) program.Program {
			return oneWay{newProgram(cfg, host), v}
		}
		last := i == len(variants)-1
		set, err := program.Open([]program.Selected{{Definition: &way, Config: config}}, options)
		if err != nil && !last {
			t.Logf("%s is refused: %v", v.Hook, err)
			continue
		}
		require.NoError(t, err)
		set.Detach()
		require.NoError(t, set.Close())
		records := programtest.Records(t, program.Selected{Definition: &way, Config: config}, func() {
			path := filepath.Join(dir, "file")
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			require.ErrorIs(t, os.Mkdir(path, 0o700), os.ErrExist)
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
			require.NoError(t, syscall.Rmdir(path))
		})
		var got []string
		for _, raw := range records {
			e, _ := common.View[bpf.FileEvent](raw)
			if int(e.Owner.Pid) == os.Getpid() {
				text := raw[unsafe.Sizeof(*e):][:e.Length]
				require.Equal(t, filepath.Join(dir, "file"), string(text), v.Hook)
				got = append(got, append(kinds[:], "open")[e.Operation])
			}
		}
		require.Equal(t, []string{"open", "unlink", "rmdir"}, got, v.Hook)
	}
}
