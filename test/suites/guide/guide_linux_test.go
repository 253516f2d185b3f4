// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// line is text that the guide adds to an existing file, before the first line with that prefix.
type line struct{ file, before, text string }

var lines = []line{
	{"receiver/ebpfreceiver/programs.go", "}\n", "\tsignal.Definition,\n"},
	{"receiver/ebpfreceiver/programs.go", ")\n", "\t\"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/signal\"\n"},
}

// entry is text that the guide adds to metadata.yaml. mdatagen requires sorted sections.
type entry struct{ section, key, text string }

var entries = []entry{
	{"attributes", "ebpf.signal.name", `
    description: The signal, such as SIGTERM.
    type: string
    requirement_level: conditionally_required
`},
	{"attributes", "ebpf.signal.sender.pid", `
    description: Process id (tgid), in the host's pid namespace, of the process that sent the signal.
    type: int
    requirement_level: conditionally_required
`},
	{"metrics", "ebpf.signal.sent", `
    enabled: true
    description: Signals that were sent to processes.
    unit: "{signal}"
    stability: development
    sum:
      value_type: int
      monotonic: true
      aggregation_temporality: cumulative
    attributes: [ebpf.signal.name, otel.metric.overflow]
`},
	{"events", "ebpf.signal.send", `
    enabled: true
    description: A process was sent a signal.
    attributes: [process.pid, process.executable.name, process.user.id, thread.name, ebpf.signal.name, ebpf.signal.sender.pid]
`},
}

func TestAddAProgram(t *testing.T) {
	testenv.RequireKernel(t)
	root := testenv.Repository(t, ".")
	repository := t.TempDir()
	copyTree(t, root, repository)
	copyTree(t, filepath.Join(root, "test/suites/guide/testdata/program"), repository)
	// The copy uses the same tools.
	require.NoError(t, os.Symlink(filepath.Join(root, ".cache"), filepath.Join(repository, ".cache")))
	for _, l := range lines {
		insert(t, repository, l)
	}
	for _, e := range entries {
		describe(t, filepath.Join(repository, "receiver/ebpfreceiver/metadata.yaml"), e)
	}

	run(t, repository, "make", "generate")
	run(t, repository, "go", "vet", "./...")
	run(t, repository, "go", "test", "./bpf/...", "./receiver/...", "./test/support/programs", "./test/tools/vmtest/...")
	// The tests that run for every program must find the new one, too.
	out := run(t, repository, "go", "test", "-count=1", "-v", "-run", "^(TestRecordsHaveNoHoles|TestGoTypesAreTheStructs)$", "./bpf")
	for _, want := range []string{"TestRecordsHaveNoHoles/signal/signal/x86/event ", "TestGoTypesAreTheStructs/signal/signal/arm64/event "} {
		assert.Contains(t, out, "--- PASS: "+want)
	}
	out = run(t, repository, "go", "test", "-count=1", "-v", "./test/suites/kernel",
		"-run", "^(TestSignals|TestHooks|TestShutdownLeavesNothing|TestCapabilitiesSuffice|TestSeriesOfEachProgramGoWithTheirContainer)$")
	for _, want := range []string{
		"--- PASS: TestSignals ",
		"program signal is attached to tp_btf/signal_generate",
		"--- PASS: TestShutdownLeavesNothing/signal ",
		"--- PASS: TestCapabilitiesSuffice/signal_{} ",
		"--- PASS: TestSeriesOfEachProgramGoWithTheirContainer ",
	} {
		assert.Contains(t, out, want)
	}
	for file, want := range map[string]string{
		"docs/settings.md":                         "`programs::signal::event_limit`",
		"docs/privileges.md":                       "| `signal` | needed | needed |",
		"examples/everything.yaml":                 "signal: {event_limit: 1000}",
		"receiver/ebpfreceiver/config.schema.json": "Which signals processes are sent, and by whom.",
	} {
		text, err := os.ReadFile(filepath.Join(repository, file))
		require.NoError(t, err)
		assert.Contains(t, string(text), want, file)
	}
}

// run runs a command in a directory and returns its output. The command must succeed.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := command(t, dir, args...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", cmd, out)
	return string(out)
}

func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	return cmd
}

// insert adds the text to its file.
func insert(t *testing.T, repository string, l line) {
	t.Helper()
	path := filepath.Join(repository, l.file)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, after, found := strings.Cut(string(text), "\n"+l.before)
	require.True(t, found, "%s has no line %q", l.file, l.before)
	require.NoError(t, os.WriteFile(path, []byte(before+"\n"+l.text+l.before+after), 0o600))
}

// describe adds the entry to its section, in sorted order.
func describe(t *testing.T, metadata string, e entry) {
	t.Helper()
	text, err := os.ReadFile(metadata)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	at := slices.Index(lines, e.section+":\n") + 1
	require.Positive(t, at, "there is no section %s", e.section)
	for ; at < len(lines); at++ {
		key, isKey := strings.CutPrefix(lines[at], "  ")
		isKey = isKey && !strings.HasPrefix(key, " ")
		if isSection := lines[at] != "\n" && lines[at][0] != ' '; isSection || isKey && key > e.key {
			break
		}
	}
	lines = slices.Insert(lines, at, "  "+e.key+":"+e.text+"\n")
	require.NoError(t, os.WriteFile(metadata, []byte(strings.Join(lines, "")), 0o600))
}

// copyTree copies the files of a directory, except for generated files and those of git.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (d.Name() == ".git" || d.Name() == ".cache" || d.Name() == "dist"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, relative), 0o750)
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, relative), text, 0o600)
	}))
}
