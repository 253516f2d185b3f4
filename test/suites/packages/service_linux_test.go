// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

const (
	// user is a user as systemd makes one for DynamicUser=.
	user = 61184
	// broken is a configuration that no version accepts.
	broken = "receivers: {ebpf: {programs: {conection: }}}\n"
)

// folders are the data of the service.
var folders = []string{"/var/lib/otelcol-ebpf", "/var/lib/private/otelcol-ebpf", "/var/log/otelcol-ebpf", "/var/log/private/otelcol-ebpf"}

// makeFolder makes a folder as systemd does for a dynamic user: in a private folder, with a link to it.
func (r root) makeFolder(t *testing.T, path string) {
	t.Helper()
	private := filepath.Join(filepath.Dir(path), "private", filepath.Base(path))
	if strings.Contains(path, "/private/") {
		return
	}
	require.NoError(t, os.MkdirAll(r.path(private), 0o755))
	require.NoError(t, os.Chown(r.path(private), user, user))
	require.NoError(t, os.Symlink("private/"+filepath.Base(path), r.path(path)))
	// With systemd, only the service's own mounts lead into the private folder. The test has no such mounts.
	require.NoError(t, os.Chmod(r.path(filepath.Dir(private)), 0o755))
}

// setting returns the value of a setting of the installed unit.
func (r root) setting(t *testing.T, name string) string {
	t.Helper()
	match := regexp.MustCompile(`(?m)^` + name + `=(.+)$`).FindStringSubmatch(r.read(t, "/usr/lib/systemd/system/otelcol-ebpf.service"))
	require.NotNil(t, match, name)
	return match[1]
}

// serve runs the service as its unit says: the command, an ordinary user with the capabilities, and the folders. It must become
// healthy and report events.
func (r root) serve(t *testing.T) {
	t.Helper()
	testenv.RequireKernel(t)
	for _, folder := range folders {
		r.makeFolder(t, folder)
	}
	capabilities := "-all"
	for name := range strings.FieldsSeq(r.setting(t, "AmbientCapabilities")) {
		capabilities += ",+" + strings.ToLower(strings.TrimPrefix(name, "CAP_"))
	}
	assert.Equal(t, r.setting(t, "AmbientCapabilities"), r.setting(t, "CapabilityBoundingSet"))
	id := strconv.Itoa(user)
	args := append([]string{
		"--reuid=" + id, "--regid=" + id, "--clear-groups", "--no-new-privs",
		"--bounding-set=" + capabilities, "--inh-caps=" + capabilities, "--ambient-caps=" + capabilities,
	}, strings.Fields(r.setting(t, "ExecStart"))...)
	cmd := r.command("setpriv", args...)
	cmd.Env = append(cmd.Env, "STATE_DIRECTORY=/var/lib/"+r.setting(t, "StateDirectory"), "LOGS_DIRECTORY=/var/log/"+r.setting(t, "LogsDirectory"))
	c, err := collector.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(c.Kill)

	// The health check may be asked a moment before the components report that they run.
	require.Eventually(t, func() bool {
		response, err := http.Get("http://localhost:13133/")
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, 10*time.Second, 50*time.Millisecond, "not healthy: %s", c.Log())
	_, err = net.Dial("tcp", "127.0.0.1:1")
	require.Error(t, err)
	require.Eventually(t, func() bool {
		events, err := collector.ReadEvents(r.path("/var/log/private/otelcol-ebpf/events.json"))
		return err == nil && len(collector.Matching(events, "ebpf.connection.connect", map[string]any{
			"error.type": "refused", "server.port": int64(1), "process.pid": int64(os.Getpid()),
		})) == 1
	}, 10*time.Second, 50*time.Millisecond, "no event of the refused connection: %s", c.Log())
	assert.Contains(t, c.Output(), "→ 127.0.0.1:1 tcp refused")
	assert.NotEmpty(t, must(os.ReadDir(r.path("/var/lib/private/otelcol-ebpf/events")))(t), "the event store is empty")
	require.NoError(t, c.Stop())
	assert.NotContains(t, c.Log(), "\terror\t")
}
