// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package deploy

import (
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// containerfile returns the arguments of the instructions in deploy/Containerfile, by instruction.
func containerfile(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(testenv.Repository(t, "deploy/Containerfile"))
	require.NoError(t, err)
	instructions := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			name, rest, _ := strings.Cut(line, " ")
			instructions[name] = append(instructions[name], rest)
		}
	}
	return instructions
}

// buildStage repeats the COPY and RUN instructions of the Containerfile in a folder, and returns the folder.
func buildStage(t *testing.T, instructions map[string][]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, rest := range instructions["COPY"] {
		if strings.HasPrefix(rest, "--from=") {
			continue
		}
		words := strings.Fields(rest)
		for _, source := range words[:len(words)-1] {
			to := filepath.Join(dir, words[len(words)-1])
			if strings.HasSuffix(words[len(words)-1], "/") {
				to = filepath.Join(to, filepath.Base(source))
			}
			require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
			text, err := exec.Command("cp", "-r", testenv.Repository(t, source), to).CombinedOutput()
			require.NoError(t, err, string(text))
		}
	}
	require.Equal(t, []string{"CGO_ENABLED=0 GOTOOLCHAIN=local"}, instructions["ENV"])
	for _, command := range instructions["RUN"] {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		for _, arg := range instructions["ARG"] {
			name, value, _ := strings.Cut(arg, "=")
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, string(text))
	}
	return dir
}

// The build needs only the copied files, and the executable needs nothing from the system.
func TestContainerfile(t *testing.T) {
	instructions := containerfile(t)
	module, err := os.ReadFile(testenv.Repository(t, "go.mod"))
	require.NoError(t, err)
	_, version, ok := strings.Cut(instructions["ARG"][0], "GO_VERSION=")
	require.True(t, ok)
	assert.Contains(t, string(module), "\ngo "+version+".", "the version of Go in go.mod")

	dir := buildStage(t, instructions)
	executable := ""
	for _, rest := range instructions["COPY"] {
		from, to, ok := strings.Cut(strings.TrimPrefix(rest, "--from=build "), " ")
		below, built := strings.CutPrefix(from, path.Join(instructions["WORKDIR"]...)+"/")
		if ok && built {
			executable = to
			checkStatic(t, filepath.Join(dir, below))
			checkCommand(t, filepath.Join(dir, below), instructions["CMD"])
		}
	}
	assert.Equal(t, []string{`["` + executable + `"]`}, instructions["ENTRYPOINT"])
	assert.Equal(t, "scratch", instructions["FROM"][len(instructions["FROM"])-1])
	assert.Equal(t, []string{"65532:65532"}, instructions["USER"])
}

// checkStatic checks that an executable needs neither a loader nor libraries.
func checkStatic(t *testing.T, path string) {
	t.Helper()
	file, err := elf.Open(path)
	require.NoError(t, err)
	defer file.Close()
	for _, segment := range file.Progs {
		assert.NotContains(t, []elf.ProgType{elf.PT_INTERP, elf.PT_DYNAMIC}, segment.Type)
	}
}

// checkCommand checks that the executable understands the arguments that it has by default.
func checkCommand(t *testing.T, executable string, command []string) {
	t.Helper()
	require.Len(t, command, 1)
	var args []string
	require.NoError(t, json.Unmarshal([]byte(command[0]), &args))
	i := slices.Index(args, "--config=/etc/otelcol-ebpf/config.yaml")
	require.GreaterOrEqual(t, i, 0)
	args[i] = "--config=" + testenv.Repository(t, "config.yaml")
	output, err := exec.Command(executable, append([]string{"validate"}, args...)...).CombinedOutput()
	assert.NoError(t, err, string(output))
}
