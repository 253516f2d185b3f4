// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What dpkg-deb shows of the package: its fields, its configuration files, and its scripts.
func TestDebianPackage(t *testing.T) {
	r, _, _ := built(t)
	field := func(name string) string { return strings.TrimSpace(run(t, "dpkg-deb", "--field", r.deb(), name)) }
	assert.Equal(t, []string{"otelcol-ebpf", r.version, runtime.GOARCH, "", "ca-certificates"},
		[]string{field("Package"), field("Version"), field("Architecture"), field("Depends"), field("Recommends")})

	dir := t.TempDir()
	run(t, "dpkg-deb", "--control", r.deb(), dir)
	assert.Equal(t, "/etc/otelcol-ebpf/config.yaml\n/etc/otelcol-ebpf/environment\n",
		string(must(os.ReadFile(filepath.Join(dir, "conffiles")))(t)))
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		run(t, "sh", "-n", filepath.Join(dir, script))
		info := must(os.Stat(filepath.Join(dir, script)))(t)
		assert.NotZero(t, info.Mode()&0o111, script)
	}
	data := run(t, "dpkg-deb", "--contents", r.deb())
	for line := range strings.Lines(data) {
		assert.Contains(t, line, " root/root ", line)
	}
}

// The life of the package on Debian, from installation to purge.
func TestDebian(t *testing.T) {
	first, _, next := built(t)
	r := newRoot(t)
	name := func(r release) string { return strings.Replace(r.deb(), work, "/mnt", 1) }

	r.run(t, "apt-get", "install", "-qy", "--no-install-recommends", name(first))
	r.checkInstalled(t)
	assert.Equal(t, toldOnly, r.called(t), "a new service is not started")
	r.run(t, "dpkg", "--verify", "otelcol-ebpf")
	assert.Empty(t, r.run(t, "systemd-analyze", "verify", "--man=no", "otelcol-ebpf.service"))

	r.serve(t)

	// The administrator's changes stay, and the new version's file is saved beside them.
	mine := "# mine\n" + r.read(t, "/etc/otelcol-ebpf/config.yaml")
	r.write(t, "/etc/otelcol-ebpf/config.yaml", mine)
	r.setActive(t, true)
	upgrade := func() string { return r.run(t, "dpkg", "--force-confold", "--install", name(next)) }
	upgrade()
	assert.Equal(t, restarted, r.called(t))
	assert.Equal(t, mine, r.read(t, "/etc/otelcol-ebpf/config.yaml"))
	assert.True(t, strings.HasPrefix(r.read(t, "/etc/otelcol-ebpf/config.yaml.dpkg-dist"), news))
	assert.Contains(t, r.run(t, "dpkg-query", "--show", "otelcol-ebpf"), later)

	// If the new version refuses the configuration, the old one keeps running.
	r.write(t, "/etc/otelcol-ebpf/config.yaml", broken)
	assert.Contains(t, upgrade(), "the version before goes on")
	assert.Equal(t, validated, r.called(t))

	r.setActive(t, false)
	upgrade()
	assert.Equal(t, looked, r.called(t), "a service that is stopped stays so")

	r.run(t, "dpkg", "--remove", "otelcol-ebpf")
	assert.Equal(t, stopped, r.called(t))
	assert.False(t, r.exists("/usr/bin/otelcol-ebpf"))
	for _, kept := range append(folders, "/etc/otelcol-ebpf/config.yaml") {
		assert.True(t, r.exists(kept), kept)
	}
	r.run(t, "dpkg", "--purge", "otelcol-ebpf")
	r.checkRemoved(t, "/etc", "/usr/bin", "/usr/lib/systemd", "/usr/share/doc", "/var/lib", "/var/log")
}

// Without systemd, as in an image, the scripts leave everything alone.
func TestDebianWithoutSystemd(t *testing.T) {
	first, _, _ := built(t)
	r := newRoot(t)
	require.NoError(t, os.Remove(r.path("/run/systemd/system")))
	r.run(t, "dpkg", "--install", strings.Replace(first.deb(), work, "/mnt", 1))
	r.run(t, "dpkg", "--purge", "otelcol-ebpf")
	assert.False(t, r.exists(calls), "a command of systemd was called")
	r.checkRemoved(t, "/etc", "/usr/bin", "/var/lib")
}
