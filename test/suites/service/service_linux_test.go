// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

const (
	unit   = "otelcol-ebpf.service"
	config = "/etc/otelcol-ebpf/config.yaml"
	// first and later are the packages of two versions.
	first, later = "/packages/first.deb", "/packages/later.deb"
)

// The life of the service, from installation to purge. Each step needs those before.
func TestService(t *testing.T) {
	if !testenv.Disposable() {
		testenv.Missing(t, "it changes the machine: run `make test-service`")
	}
	before, err := loaded()
	require.NoError(t, err)
	steps := []struct {
		name string
		run  func(*testing.T)
	}{
		{"is installed and not started", install},
		{"starts", start},
		{"sees a connection", func(t *testing.T) { sees(t, 1) }},
		{"keeps its configuration when a reload finds a mistake", reloadMistake},
		{"takes a configuration by reload", reload},
		{"is upgraded", upgrade},
		{"goes on when the new version does not accept its configuration", upgradeRefused},
		{"stops, and leaves nothing in the kernel", func(t *testing.T) {
			systemctl(t, "stop", unit)
			assert.Equal(t, "inactive", state())
			gone(t, before)
		}},
		{"is removed, and leaves nothing", remove},
	}
	for _, step := range steps {
		require.True(t, t.Run(step.name, step.run), "the steps that follow need this one")
	}
}

func install(t *testing.T) {
	dpkg(t, "--install", first)
	assert.Equal(t, "inactive", state())
	assert.Equal(t, "disabled", output("systemctl", "is-enabled", unit))
}

// The service runs as a dynamic user of systemd, with the capabilities of the unit and no others.
func start(t *testing.T) {
	systemctl(t, "enable", "--now", unit)
	healthy(t)
	status := read(t, fmt.Sprintf("/proc/%s/status", mainPID(t)))
	// CAP_NET_ADMIN, CAP_SYSLOG, CAP_PERFMON and CAP_BPF
	assert.Contains(t, status, "CapEff:\t000000c400001000\n")
	assert.Contains(t, status, "CapBnd:\t000000c400001000\n")
	info := must(os.Stat("/proc/" + mainPID(t)))(t)
	stat, _ := info.Sys().(*syscall.Stat_t)
	assert.GreaterOrEqual(t, stat.Uid, uint32(61184), "the user is not a dynamic one")
}

// A reload with a mistake fails, says where the mistake is, and changes nothing.
func reloadMistake(t *testing.T) {
	good, pid := read(t, config), mainPID(t)
	configure(t, strings.Replace(good, "packet_drop:", "packet_drops:", 1))
	_, err := command("systemctl", "reload", unit)
	require.Error(t, err)
	assert.Equal(t, "active", state())
	assert.Equal(t, pid, mainPID(t))
	assert.Contains(t, output("journalctl", "--unit", unit, "--output", "cat"), "packet_drops")
	sees(t, 2)
	configure(t, good)
}

func reload(t *testing.T) {
	pid := mainPID(t)
	configure(t, strings.Replace(read(t, config), "packet_drop:", "packet_drop:\n      process:", 1))
	systemctl(t, "reload", unit)
	require.Eventually(t, func() bool {
		_, err := command("/bin/true")
		return err == nil && strings.Contains(get("/api/events?type=process&command=true&format=text"), "true")
	}, patience, interval, "no event of a new process")
	assert.Equal(t, pid, mainPID(t))
	healthy(t)
}

// The changed configuration and the stored events are still there.
func upgrade(t *testing.T) {
	mine, pid := read(t, config), mainPID(t)
	dpkg(t, "--force-confold", "--install", later)
	assert.Equal(t, "999.0.0", output("dpkg-query", "--show", "--showformat", "${Version}", "otelcol-ebpf"))
	assert.NotEqual(t, pid, mainPID(t), "not restarted")
	assert.Equal(t, mine, read(t, config))
	healthy(t)
	sees(t, 3)
	assert.Contains(t, refused(1), "tcp refused")
}

func upgradeRefused(t *testing.T) {
	mine, pid := read(t, config), mainPID(t)
	configure(t, "receivers: {ebpf: {programs: {conection: }}}\n")
	assert.Contains(t, dpkg(t, "--force-confold", "--install", later), "the version before goes on")
	assert.Equal(t, pid, mainPID(t))
	sees(t, 4)
	configure(t, mine)
}

func remove(t *testing.T) {
	dpkg(t, "--remove", "otelcol-ebpf")
	assert.FileExists(t, config)
	assert.DirExists(t, "/var/lib/private/otelcol-ebpf")
	dpkg(t, "--purge", "otelcol-ebpf")
	for _, folder := range []string{"/etc", "/usr", "/var/lib", "/var/log"} {
		require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			// dpkg's own records do not belong to the package.
			if err == nil && strings.Contains(entry.Name(), "otelcol-ebpf") && !strings.HasPrefix(path, "/var/lib/dpkg") {
				assert.Fail(t, "left behind", path)
			}
			return err
		}))
	}
}

// Each poll makes connections, which are events, too.
const interval = 500 * time.Millisecond

// patience is how long an emulator may take.
var patience = testenv.Patiently(10 * time.Second)
