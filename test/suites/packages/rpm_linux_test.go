// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

func requireRPM(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("rpm"); err != nil {
		testenv.Missing(t, "Debian's package rpm is not installed: "+err.Error())
	}
}

// What rpm shows of the package: its fields, its configuration files, and its scripts.
func TestRPMPackage(t *testing.T) {
	requireRPM(t)
	r, _, _ := built(t)
	query := func(args ...string) string {
		return strings.TrimSpace(run(t, "rpm", append([]string{"--query", "--package", r.rpm()}, args...)...))
	}
	assert.Equal(t, "otelcol-ebpf "+r.version+" 1 Apache-2.0 localhost 1700000000",
		query("--queryformat", "%{NAME} %{VERSION} %{RELEASE} %{LICENSE} %{BUILDHOST} %{BUILDTIME}"))
	assert.Equal(t, "/etc/otelcol-ebpf/config.yaml\n/etc/otelcol-ebpf/environment", query("--configfiles"))
	assert.Contains(t, query("--list"), "/usr/bin/otelcol-ebpf\n/usr/lib/systemd/system/otelcol-ebpf.service\n")
	for line := range strings.Lines(query("--queryformat", `[%{FILENAMES} %{FILEFLAGS:fflags} %{FILEUSERNAME}:%{FILEGROUPNAME}\n]`)) {
		assert.Contains(t, line, " root:root", line)
		if strings.HasPrefix(line, "/etc/") {
			assert.Contains(t, line, " cn ", "%s: not kept at an upgrade", line)
		}
	}
	scripts := query("--scripts")
	for _, script := range []string{"postinstall", "preuninstall", "postuninstall"} {
		assert.Equal(t, 1, strings.Count(scripts, script+" scriptlet (using /bin/sh):"), script)
	}
}

// The life of the package on a distribution with rpm, with the scripts, from installation to removal.
func TestRPM(t *testing.T) {
	requireRPM(t)
	first, _, next := built(t)
	r := newRoot(t)
	// Debian's rpm installs only with a flag, and its database does not have Debian's packages.
	install := func(how string, from release) {
		run(t, "rpm", "--root", string(r), how, "--force-debian", "--nodeps", "--replacepkgs", from.rpm())
	}
	install("--install", first)
	r.checkInstalled(t)
	assert.Equal(t, toldOnly, r.called(t), "a new service is not started")

	mine := "# mine\n" + r.read(t, "/etc/otelcol-ebpf/config.yaml")
	r.write(t, "/etc/otelcol-ebpf/config.yaml", mine)
	r.setActive(t, true)
	install("--upgrade", next)
	assert.Equal(t, restarted, r.called(t))
	assert.Equal(t, mine, r.read(t, "/etc/otelcol-ebpf/config.yaml"))
	assert.True(t, strings.HasPrefix(r.read(t, "/etc/otelcol-ebpf/config.yaml.rpmnew"), news))
	assert.Equal(t, "otelcol-ebpf-"+later+"-1",
		run(t, "rpm", "--root", string(r), "--query", "--queryformat", "%{NAME}-%{VERSION}-%{RELEASE}", "otelcol-ebpf"))

	for _, folder := range folders {
		r.makeFolder(t, folder)
	}
	run(t, "rpm", "--root", string(r), "--erase", "--force-debian", "otelcol-ebpf")
	assert.Equal(t, stopped, r.called(t))
	assert.False(t, r.exists("/usr/bin/otelcol-ebpf"))
	assert.Equal(t, mine, r.read(t, "/etc/otelcol-ebpf/config.yaml.rpmsave"))
	for _, kept := range folders {
		assert.True(t, r.exists(kept), kept)
	}
}
