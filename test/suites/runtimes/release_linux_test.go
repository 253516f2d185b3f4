// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// testReleaseImage makes the image of a release twice from an archive, as `make release-image` does. The results are the same, byte by
// byte, and podman runs them.
func testReleaseImage(t *testing.T, h *host, e *engines) {
	built := testenv.Collector(t)
	output, err := exec.Command(built, "--version").Output()
	require.NoError(t, err)
	version := strings.TrimSpace(string(output))
	number := version[strings.LastIndexByte(version, ' ')+1:]

	release := filepath.Join(h.dir, "release")
	name := "otelcol-ebpf_" + number + "_linux_"
	folder := filepath.Join(release, name+runtime.GOARCH)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	testenv.LinkOrCopy(t, built, filepath.Join(folder, "otelcol-ebpf"))
	_, err = h.run("tar", "--create", "--gzip", "--file", folder+".tar.gz", "--directory", release, filepath.Base(folder))
	require.NoError(t, err)

	layout := filepath.Join(release, name+"oci")
	digests := func() string {
		_, err := h.run("make", "--no-print-directory", "--directory", testenv.Repository(t, "."), "release-oci",
			"RELEASE="+release, "IMAGE=otelcol-ebpf", "ARCHITECTURES="+runtime.GOARCH, "SOURCE_DATE_EPOCH=1700000000")
		require.NoError(t, err)
		index, err := os.ReadFile(filepath.Join(layout, "index.json"))
		require.NoError(t, err)
		return string(index)
	}
	first := digests()
	assert.Equal(t, first, digests(), "not reproducible")

	id, err := e.podman.run("pull", "--quiet", "oci:"+layout+":"+number)
	require.NoError(t, err)
	text, err := e.podman.run("run", "--rm", "--pull", "never", "--network", "none", id, "--version")
	require.NoError(t, err)
	assert.Equal(t, version, strings.TrimSpace(text))
}
