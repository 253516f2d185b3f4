// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sees makes a connection to a closed port. Its event must reach the event store, the file and the journal.
func sees(t *testing.T, port int) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", port)
	_, err := net.Dial("tcp", address)
	require.Error(t, err)
	line := fmt.Sprintf("[%d] → %s tcp refused", os.Getpid(), address)
	require.Eventually(t, func() bool {
		return strings.Contains(refused(port), line)
	}, patience, interval, "not in the event store")
	require.Eventually(t, func() bool {
		return strings.Contains(output("journalctl", "--unit", unit, "--output", "cat"), line)
	}, patience, interval, "not in the journal")
	attribute := fmt.Sprintf(`{"key":"server.port","value":{"intValue":"%d"}}`, port)
	require.Eventually(t, func() bool {
		text, err := os.ReadFile("/var/log/private/otelcol-ebpf/events.json")
		return err == nil && strings.Contains(string(text), attribute)
	}, patience, interval, "not in the file")
}

// healthy waits until all components are healthy.
func healthy(t *testing.T) {
	t.Helper()
	isHealthy := func() bool {
		response, err := http.Get("http://127.0.0.1:13133/")
		if err != nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == http.StatusOK
	}
	if !assert.Eventually(t, isHealthy, patience, interval) {
		require.Fail(t, "not healthy", journal())
	}
	assert.Equal(t, "active", state())
}

// journal returns the end of the journal.
func journal() string { return output("journalctl", "--no-pager", "--lines", "60") }

// get requests a path of the event store. The answer is empty while the store does not answer, as during a restart.
func get(path string) string {
	response, err := http.Get("http://127.0.0.1:8080" + path)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return string(text)
}

// refused returns the events of refused connections to a port, one per line.
func refused(port int) string {
	return get(fmt.Sprintf("/api/events?type=connection&error=refused&port=%d&format=text", port))
}

// loaded returns the names and ids of the BPF programs in the kernel, without those that systemd loads at any time.
func loaded() (names map[string]bool, err error) {
	names = map[string]bool{}
	for id := ebpf.ProgramID(0); ; {
		if id, err = ebpf.ProgramGetNextID(id); errors.Is(err, fs.ErrNotExist) {
			return names, nil
		} else if err != nil {
			return nil, err
		}
		p, err := ebpf.NewProgramFromID(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		info, err := p.Info()
		if err := errors.Join(err, p.Close()); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(info.Name, "sd_") {
			names[fmt.Sprintf("%s %d", info.Name, id)] = true
		}
	}
}

// gone waits until only the earlier programs are left. The kernel frees a program some time after its last user has ended.
func gone(t *testing.T, before map[string]bool) {
	t.Helper()
	var left map[string]bool
	require.Eventually(t, func() bool {
		now, err := loaded()
		maps.DeleteFunc(now, func(name string, _ bool) bool { return before[name] })
		left = now
		return err == nil && len(left) == 0
	}, patience, interval)
	assert.Empty(t, left)
}

func state() string { return output("systemctl", "is-active", unit) }

func mainPID(t *testing.T) string {
	t.Helper()
	pid := output("systemctl", "show", "--property", "MainPID", "--value", unit)
	require.NotEqual(t, "0", pid, "the service does not run")
	return pid
}

func systemctl(t *testing.T, args ...string) {
	t.Helper()
	text, err := command("systemctl", args...)
	if err != nil {
		require.Fail(t, "systemctl "+strings.Join(args, " "), text+"\n"+journal())
	}
}

func dpkg(t *testing.T, args ...string) string {
	t.Helper()
	text, err := command("dpkg", args...)
	require.NoError(t, err, "dpkg %s: %s", strings.Join(args, " "), text)
	return text
}

// output returns the output of a command, even if it fails.
func output(name string, args ...string) string {
	text, _ := command(name, args...)
	return strings.TrimSpace(text)
}

func command(name string, args ...string) (string, error) {
	text, err := exec.Command(name, args...).CombinedOutput()
	return string(text), err
}

func read(t *testing.T, path string) string {
	t.Helper()
	return string(must(os.ReadFile(path))(t))
}

// configure writes the configuration.
func configure(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(config, []byte(text), 0o644))
}

// must fails the test if a call failed.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		require.NoError(t, err)
		return value
	}
}
