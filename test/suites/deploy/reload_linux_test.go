// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package deploy

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

const (
	// A pipeline that needs no kernel. The exporter's name identifies the version of the configuration in the log.
	working = "{receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:0'}}}}, exporters: {nop/NAME: }, " +
		"service: {telemetry: {logs: {level: debug}, metrics: {level: none}}, pipelines: {logs: {receivers: [otlp], exporters: [nop/NAME]}}}}"
	// A wrong setting of the receiver, and text that is not YAML.
	wrongValue = "{receivers: {ebpf: {programs: {process: {event_limit: many}}}}, exporters: {nop: }, " +
		"service: {pipelines: {logs: {receivers: [ebpf], exporters: [nop]}}}}"
	noYAML = "receivers: {\n"

	kept       = "Configuration not reloaded; the one before goes on"
	mistake    = `process: event_limit: "many" is not a whole number`
	reloadTime = 20 * time.Second
)

// service is the collector as the unit starts and reloads it, without systemd and its restrictions.
type service struct {
	*collector.Collector
	binary, config string
	reloads        []string
}

func startService(t *testing.T) *service {
	t.Helper()
	s := runService(t)
	s.awaitStarts(t, 1)
	return s
}

// runService starts the collector and does not wait until it has started.
func runService(t *testing.T, prepare ...func(config string)) *service {
	t.Helper()
	text, err := os.ReadFile(testenv.Repository(t, "deploy/"+unit))
	require.NoError(t, err)
	s := &service{binary: testenv.FullCollector(t), config: filepath.Join(t.TempDir(), "config.yaml")}
	s.write(t, strings.ReplaceAll(working, "NAME", "first"))
	for _, f := range prepare {
		f(s.config)
	}
	commands := map[string][]string{}
	for _, match := range regexp.MustCompile(`(?m)^(Exec\w+)=(.+)$`).FindAllStringSubmatch(string(text), -1) {
		commands[match[1]] = append(commands[match[1]], s.replace(match[2]))
	}
	require.Len(t, commands["ExecStart"], 1)
	args := strings.Fields(commands["ExecStart"][0])
	s.Collector, err = collector.Run(exec.Command(args[0], args[1:]...))
	require.NoError(t, err)
	t.Cleanup(s.Kill)
	s.reloads = commands["ExecReload"]
	require.NotEmpty(t, s.reloads)
	return s
}

// replace puts the executable and the configuration of the test into a command of the unit.
func (s *service) replace(command string) string {
	return strings.NewReplacer("/usr/bin/otelcol-ebpf", s.binary, "/etc/otelcol-ebpf/config.yaml", s.config).Replace(command)
}

func (s *service) write(t *testing.T, config string) {
	t.Helper()
	require.NoError(t, os.WriteFile(s.config, []byte(config), 0o600))
}

// reload runs the commands of ExecReload= as systemd does: one after the other, until one of them fails.
func (s *service) reload() (output string, err error) {
	for _, command := range s.reloads {
		args := strings.Fields(strings.ReplaceAll(command, "$MAINPID", strconv.Itoa(s.PID())))
		text, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		output += string(text)
		if err != nil {
			return output, err
		}
	}
	return output, nil
}

// starts returns the number of starts that have come to their end.
func (s *service) starts() int { return strings.Count(s.Log(), "Everything is ready") }

func (s *service) awaitStarts(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.starts() >= n }, reloadTime, 20*time.Millisecond, "start %d:\n%s", n, s.Log())
}

// `systemctl reload` takes over a configuration, and fails with one that has a mistake without touching the collector.
func TestUnitReload(t *testing.T) {
	s := startService(t)
	for _, tt := range []struct{ name, config, says string }{
		{"a wrong value", wrongValue, mistake},
		{"no YAML", noYAML, "yaml"},
	} {
		s.write(t, tt.config)
		output, err := s.reload()
		require.Error(t, err, tt.name)
		assert.Contains(t, output, tt.says, tt.name)
	}
	require.NoError(t, os.Remove(s.config))
	output, err := s.reload()
	require.Error(t, err, "a missing file")
	assert.Contains(t, output, "no such file")
	assert.NotContains(t, s.Log(), "Received signal", "the collector was told of it")

	s.write(t, strings.ReplaceAll(working, "NAME", "second"))
	output, err = s.reload()
	require.NoError(t, err, output)
	s.awaitStarts(t, 2)
	assert.Contains(t, s.Log(), "nop/second")
	require.NoError(t, s.Stop())
}

// A SIGHUP without the unit, as from a script: the collector keeps the configuration that it has.
func TestSignalWithAMistake(t *testing.T) {
	s := startService(t)
	hangUp := func(config string) {
		s.write(t, config)
		starts := s.starts()
		text, err := exec.Command("kill", "-HUP", strconv.Itoa(s.PID())).CombinedOutput()
		require.NoError(t, err, string(text))
		s.awaitStarts(t, starts+1)
	}
	hangUp(wrongValue)
	assert.Equal(t, 1, strings.Count(s.Log(), kept))
	assert.Contains(t, s.Log(), strings.ReplaceAll(mistake, `"`, `\"`))
	hangUp(noYAML)
	assert.Equal(t, 2, strings.Count(s.Log(), kept))
	assert.NotContains(t, s.Log(), "nop/second")

	hangUp(strings.ReplaceAll(working, "NAME", "second"))
	assert.Equal(t, 2, strings.Count(s.Log(), kept), s.Log())
	assert.Contains(t, s.Log(), "nop/second")
	require.NoError(t, s.Stop())
}

// A SIGHUP while the collector starts: it takes over the configuration when it has started.
func TestSignalDuringStart(t *testing.T) {
	var pipe string
	s := runService(t, func(config string) {
		pipe = config
		require.NoError(t, os.Remove(config))
		require.NoError(t, unix.Mkfifo(config, 0o600))
	})
	read, err := os.OpenFile(pipe, os.O_WRONLY, 0) // the collector reads it now
	require.NoError(t, err)
	require.NoError(t, os.Remove(pipe))
	s.write(t, strings.ReplaceAll(working, "NAME", "second"))
	require.NoError(t, s.Signal(unix.SIGHUP))
	_, err = read.WriteString(strings.ReplaceAll(working, "NAME", "first"))
	require.NoError(t, errors.Join(err, read.Close()))
	s.awaitStarts(t, 2)
	assert.Contains(t, s.Log(), "nop/second")
	require.NoError(t, s.Stop())
}
