// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// The archives contain what users need besides the executable: configurations, deployments, documentation, licences.
func TestReleaseFiles(t *testing.T) {
	root := testenv.Repository(t, ".")
	output, err := run(t.Context(), root, "make", "--no-print-directory", "release-files")
	require.NoError(t, err, output)
	files := strings.Fields(output)

	want := []string{"LICENSE", "bpf/LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "config.yaml"}
	for _, folder := range []string{"docs", "examples", "deploy"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				path, err = filepath.Rel(root, path)
				want = append(want, path)
			}
			return err
		}))
	}
	assert.ElementsMatch(t, want, files)
}

// The release has each collector and architecture, with the version of the manifests. test/suites/packages tests its content.
func TestRelease(t *testing.T) {
	version := manifestVersion(t, nodeManifest)
	assert.Equal(t, version, manifestVersion(t, fullManifest), "both collectors must have the same version")

	output, err := run(t.Context(), testenv.Repository(t, "."), "make", "--no-print-directory", "--dry-run", "release", "SOURCE_DATE_EPOCH=1")
	require.NoError(t, err, output)
	for _, text := range []string{
		"for folder in dist dist-full;", "for architecture in amd64 arm64;", "CGO_ENABLED=0 GOOS=linux GOARCH=$architecture", "-trimpath",
		"release -version " + version + " -time 1 -files ", "dist-release/build/*/*",
	} {
		assert.Contains(t, output, text)
	}
}

// manifestVersion returns the version of the collector that an ocb manifest describes.
func manifestVersion(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(testenv.Repository(t, path))
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^ {2}version: (\S+)$`).FindSubmatch(raw)
	require.NotNil(t, version, path)
	return string(version[1])
}
