// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// patience is the limit for the start of a server.
const patience = 30 * time.Second

// FreePort returns a TCP port that is free at the moment.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := collector.FreePort()
	require.NoError(t, err)
	return port
}

// Tool returns the path of a tool that a target of the Makefile installs below .cache.
func Tool(t testing.TB, path, target string) string {
	t.Helper()
	path = testenv.Repository(t, path)
	if _, err := os.Stat(path); err != nil {
		testenv.Missing(t, fmt.Sprintf("`make %s` makes it: %v", target, err))
	}
	return path
}

// Serve runs a server until the test ends, and returns when it answers at the URL.
func Serve(t testing.TB, url, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s: %s", filepath.Base(name), text)
		}
	})
	require.Eventually(t, func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond, "%s does not answer at %s", filepath.Base(name), url)
}
