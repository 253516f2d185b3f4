// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// setting returns the words of all lines of a setting in the systemd unit.
func setting(t *testing.T, name string) (words [][]string) {
	t.Helper()
	text, err := os.ReadFile(testenv.Repository(t, "deploy/otelcol-ebpf.service"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			words = append(words, strings.Fields(value))
		}
	}
	require.NotEmpty(t, words, name)
	return words
}

// usual are the documented capabilities without CAP_DAC_READ_SEARCH. An ordinary user needs that one to read tracefs, but it
// allows reading every file.
func usual() (names []string) {
	for _, c := range programs.Capabilities {
		if c != "CAP_DAC_READ_SEARCH" && slices.ContainsFunc(uses(), func(u use) bool { return slices.Contains(u.documented(), c) }) {
			names = append(names, c)
		}
	}
	return names
}

// The files in deploy/ grant the documented capabilities, and no others.
func TestDeploymentsHaveTheDocumentedCapabilities(t *testing.T) {
	assert.Equal(t, [][]string{usual()}, setting(t, "AmbientCapabilities"))
	assert.Equal(t, [][]string{usual()}, setting(t, "CapabilityBoundingSet"))
	for file, want := range map[string]string{
		"deploy/kubernetes/agent.yaml": "add: [" + strings.ReplaceAll(strings.Join(usual(), ", "), "CAP_", "") + "]",
		"docs/privileges.md":           "setcap " + strings.ToLower(strings.Join(usual(), ",")) + "+ep",
	} {
		text, err := os.ReadFile(testenv.Repository(t, file))
		require.NoError(t, err)
		assert.Contains(t, string(text), want, file)
	}
}

// Under the system call filter, the capabilities and the read-only paths of the systemd unit, everything works.
func TestUnderTheUnit(t *testing.T) {
	r := restrictedTo(usual()...)
	r.Syscalls = allowedSyscalls(t)
	for _, words := range setting(t, "ReadOnlyPaths") {
		for _, path := range words {
			r.Mount = append(r.Mount, restrict.Mount{Source: path, At: path, ReadOnly: true})
		}
	}
	for _, words := range setting(t, "InaccessiblePaths") {
		for _, path := range words {
			path = strings.TrimPrefix(path, "-")
			if _, err := os.Stat(path); err == nil {
				r.Mount = append(r.Mount, restrict.Mount{Source: os.DevNull, At: path, ReadOnly: true})
			}
		}
	}
	tr := newTrial(t, everything, r)
	c := tr.start(t)
	provoke.Connections(t, tr.events)
	assert.NotEmpty(t, provoke.Drop(t, tr.events).Attributes["ebpf.drop.location"])
	assert.NoError(t, c.Stop())
	assert.NotContains(t, c.Log(), "\twarn\t")
	assert.NotContains(t, c.Log(), "\terror\t")
}

// allowedSyscalls returns the numbers of the system calls that the unit allows. The setting has sets and names, of which some
// are excluded.
func allowedSyscalls(t *testing.T) (numbers []uint32) {
	t.Helper()
	allowed := map[string]bool{}
	expand(t, "@default", allowed, true) // systemd always allows these
	for _, words := range setting(t, "SystemCallFilter") {
		first, without := strings.CutPrefix(words[0], "~")
		for _, word := range append([]string{first}, words[1:]...) {
			expand(t, word, allowed, !without)
		}
	}
	for name, number := range syscallNumbers(t) {
		if allowed[name] {
			numbers = append(numbers, number)
		}
	}
	require.Greater(t, len(numbers), 100)
	require.Less(t, len(numbers), 300)
	return numbers
}

// expand sets whether a system call, or each call in one of systemd's sets, is allowed.
func expand(t *testing.T, word string, allowed map[string]bool, value bool) {
	t.Helper()
	if !strings.HasPrefix(word, "@") {
		allowed[word] = value
		return
	}
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		testenv.Missing(t, "Debian's package systemd is not installed: "+err.Error())
	}
	text, err := exec.Command(tool, "--no-pager", "syscall-filter", word).Output()
	require.NoError(t, err)
	_, members, _ := strings.Cut(string(text), "\n") // the first line is the name of the set
	for line := range strings.Lines(members) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			expand(t, line, allowed, value)
		}
	}
}

// syscallNumbers returns the numbers of this architecture's system calls by name, from the sources of x/sys.
func syscallNumbers(t *testing.T) map[string]uint32 {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/sys/unix").Output()
	require.NoError(t, err)
	file, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "zsysnum_linux_"+runtime.GOARCH+".go"))
	require.NoError(t, err)
	defer file.Close()
	constant := regexp.MustCompile(`^\s+SYS_(\w+)\s+= (\d+)`)
	numbers := map[string]uint32{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if match := constant.FindStringSubmatch(lines.Text()); match != nil {
			number, err := strconv.ParseUint(match[2], 10, 32)
			require.NoError(t, err)
			numbers[strings.ToLower(match[1])] = uint32(number)
		}
	}
	require.NotEmpty(t, numbers)
	return numbers
}
