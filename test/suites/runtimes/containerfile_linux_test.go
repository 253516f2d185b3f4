// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// baseImage writes a replacement for the image of Go that the Containerfile begins with, because the test reaches no registry. It has
// the machine's certificates, and empty folders for mounts of the machine's own folders.
func baseImage(t *testing.T, path string) {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"usr", "tmp", "etc/ssl/certs", "proc", "sys", "dev", "root"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for _, name := range []string{"bin", "lib", "lib64", "sbin"} {
		if target, err := os.Readlink("/" + name); err == nil {
			require.NoError(t, os.Symlink(target, filepath.Join(root, name)))
		}
	}
	const certificates = "etc/ssl/certs/ca-certificates.crt"
	testenv.Copy(t, "/"+certificates, filepath.Join(root, certificates))
	output, err := exec.Command("tar", "--create", "--file", path, "--directory", root, ".").CombinedOutput()
	require.NoError(t, err, string(output))
}

// goEnv returns a setting of Go.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	output, err := exec.Command("go", "env", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(output))
}

// buildImage builds the image of the smaller collector as deploy/Containerfile says, with the machine's Go and modules.
func (h *host) buildImage(t *testing.T, p *podman) {
	t.Helper()
	text, err := os.ReadFile(testenv.Repository(t, "deploy/Containerfile"))
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^ARG GO_VERSION=(.+)$`).FindSubmatch(text)
	require.NotNil(t, version)
	base, root := filepath.Join(h.dir, "base.tar"), goEnv(t, "GOROOT")
	modules := goEnv(t, "GOMODCACHE")
	baseImage(t, base)
	_, err = p.run("import", "--quiet",
		"--change", "ENV PATH="+filepath.Join(root, "bin")+":/usr/sbin:/usr/bin",
		"--change", "ENV GOPROXY=file://"+modules+"/cache/download", "--change", "ENV GOSUMDB=off",
		"--change", "ENV GOMODCACHE="+modules, "--change", "ENV GOCACHE="+goEnv(t, "GOCACHE"),
		base, "docker.io/library/golang:"+string(version[1])+"-bookworm")
	require.NoError(t, err)
	build := append([]string{"buildah"}, p.command[1:]...)
	build = append(build, "build", "--pull-never", "--isolation", "chroot", "--volume", "/usr:/usr:ro",
		"--file", testenv.Repository(t, "deploy/Containerfile"), "--build-arg", "BUILD=build", "--build-arg", "TARGETARCH="+runtime.GOARCH,
		"--tag", "otelcol-ebpf")
	for _, folder := range []string{modules, goEnv(t, "GOCACHE"), root, "/etc/alternatives"} {
		if !strings.HasPrefix(folder, "/usr/") {
			build = append(build, "--volume", folder+":"+folder)
		}
	}
	_, err = h.run(append(build, testenv.Repository(t, "."))...)
	require.NoError(t, err)
}

// documented returns the commands of docs/containers-and-kubernetes.md that run the image: the first one, and the one for
// runtimes that are older.
func documented(t *testing.T) (current, older string) {
	t.Helper()
	text, err := os.ReadFile(testenv.Repository(t, "docs/containers-and-kubernetes.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```console\n(podman run .*?)```").FindAllSubmatch(text, -1)
	require.Len(t, blocks, 2)
	return string(blocks[0][1]), string(blocks[1][1])
}

// testImage checks that the image runs with the documented options and attaches its programs, under the seccomp profiles that
// podman and Docker have by default.
func testImage(t *testing.T, h *host, e *engines) {
	p, d := e.podman, e.docker
	h.buildImage(t, p)
	archive := filepath.Join(h.dir, "collector.tar")
	_, err := p.run("save", "--quiet", "--output", archive, "otelcol-ebpf")
	require.NoError(t, err)
	_, err = d.run("load", "--input", archive)
	require.NoError(t, err)
	_, err = d.run("tag", "localhost/otelcol-ebpf", "otelcol-ebpf")
	require.NoError(t, err)

	current, older := documented(t)
	// The commands are those that users write; the runtimes keep their state in the test's folder.
	commands := filepath.Join(h.dir, "bin")
	require.NoError(t, os.Mkdir(commands, 0o755))
	for name, command := range map[string][]string{
		"podman": p.command, "docker": {"docker", "--host", dockerSocket(h)},
	} {
		path, err := exec.LookPath(command[0])
		require.NoError(t, err)
		script := "#!/bin/sh\nexec " + path + " " + strings.Join(command[1:], " ") + ` "$@"` + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(commands, name), []byte(script), 0o755))
	}
	for _, tt := range []struct{ name, command, refusal string }{
		{"podman", older, ""},
		{"podman without the system call", current, "the system call"},
		{"Docker", strings.Replace(older, "podman", "docker", 1), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := h.runDocumented(t, commands, tt.command, tt.refusal)
			assert.NotContains(t, log, "Only a part of the host is visible")
			assert.NotContains(t, log, "ebpf.drop.location")
		})
	}
}

// runDocumented runs a documented command until the collector in the container is ready, or refuses to start with a text.
func (h *host) runDocumented(t *testing.T, commands, command, refusal string) (log string) {
	t.Helper()
	cmd := h.command("sh", "-c", "cd "+testenv.Repository(t, ".")+" && PATH="+commands+":$PATH exec "+command)
	if refusal != "" {
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		require.Error(t, cmd.Run(), output.String())
		require.Contains(t, output.String(), refusal)
		return ""
	}
	c, err := collector.Start(cmd)
	require.NoError(t, err)
	// The collector handles signals only some microseconds after it says that it is ready.
	if c.Stop() != nil {
		c.Kill()
	}
	return c.Log()
}
