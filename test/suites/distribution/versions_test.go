// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// The collector's release is named in three files: the manifest, the receiver's go.mod and the tools' go.mod.
// Whoever moves to another one finds here what they forgot.
func TestVersionsAgree(t *testing.T) {
	module := requirements(t, "go.mod")
	tools := requirements(t, "internal/tools/go.mod")
	beta := tools["go.opentelemetry.io/collector/cmd/builder"]
	stable := module["go.opentelemetry.io/collector/component"]
	require.NotEmpty(t, beta, "the builder in internal/tools/go.mod")
	require.NotEmpty(t, stable, "the collector's component module in go.mod")

	assert.Equal(t, beta, tools["go.opentelemetry.io/collector/cmd/mdatagen"], "mdatagen in internal/tools/go.mod")
	assert.Equal(t, stable, tools["go.opentelemetry.io/collector/component"],
		"the stable modules that go with the builder: internal/tools/go.mod against go.mod")
	assert.Equal(t, module["github.com/cilium/ebpf"], tools["github.com/cilium/ebpf"],
		"bpf2go in internal/tools/go.mod against the library in go.mod")

	for _, file := range []string{"builder-config.yaml", "test/suites/distribution/testdata/manifest.yaml"} {
		for path, version := range manifestModules(t, file) {
			assertRelease(t, file, path, version, beta, stable)
		}
	}
	for path, version := range module {
		assertRelease(t, "go.mod", path, version, beta, stable)
	}
}

// assertRelease checks that a module of the collector, if it is one, is of the release that beta and stable name.
func assertRelease(t *testing.T, file, path, version, beta, stable string) {
	t.Helper()
	if !strings.HasPrefix(path, "go.opentelemetry.io/collector/") &&
		!strings.HasPrefix(path, "github.com/open-telemetry/opentelemetry-collector-contrib/") {
		return
	}
	want := beta
	if strings.HasPrefix(version, "v1.") {
		want = stable
	}
	assert.Equal(t, want, version, "%s in %s", path, file)
}

// requirements returns the versions that a go.mod file requires, by module.
func requirements(t *testing.T, file string) map[string]string {
	t.Helper()
	output, err := run(t.Context(), testenv.Repository(t, "."), "go", "mod", "edit", "-json", file)
	require.NoError(t, err, output)
	var parsed struct {
		Require []struct{ Path, Version string }
	}
	require.NoError(t, json.Unmarshal([]byte(output), &parsed))
	require.NotEmpty(t, parsed.Require, file)
	versions := make(map[string]string, len(parsed.Require))
	for _, required := range parsed.Require {
		versions[required.Path] = required.Version
	}
	return versions
}

var gomodLine = regexp.MustCompile(`(?m)^\s+- gomod: (\S+) (\S+)$`)

// manifestModules returns the versions that an ocb manifest asks for, by module.
func manifestModules(t *testing.T, file string) map[string]string {
	t.Helper()
	manifest, err := os.ReadFile(testenv.Repository(t, file))
	require.NoError(t, err)
	lines := gomodLine.FindAllStringSubmatch(string(manifest), -1)
	require.Len(t, lines, strings.Count(string(manifest), "gomod:"), "every gomod line of %s names a version", file)
	versions := make(map[string]string, len(lines))
	for _, line := range lines {
		versions[line[1]] = line[2]
	}
	return versions
}
