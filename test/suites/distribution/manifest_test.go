// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// twoLines are the lines to add to another manifest, as in README.md.
const twoLines = `  - gomod: github.com/otelcol-ebpf/otelcol-ebpf v0.1.0
    import: github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver
`

// A user of another distribution adds two lines to its manifest and gets a collector with this receiver. Nothing is
// generated, compiled by clang or configured for that.
func TestOwnManifest(t *testing.T) {
	dir := t.TempDir()
	builder := filepath.Join(dir, "builder")
	output, err := run(t.Context(), testenv.Repository(t, "internal/tools"),
		"go", "build", "-o", builder, "go.opentelemetry.io/collector/cmd/builder")
	require.NoError(t, err, output)

	base, err := os.ReadFile(filepath.Join("testdata", "manifest.yaml"))
	require.NoError(t, err)
	manifest := strings.Replace(string(base), "\nreceivers:\n", "\nreceivers:\n"+twoLines, 1)
	require.NotEqual(t, string(base), manifest)
	// Use the module of this checkout instead of the one from the module proxy.
	manifest += "\nreplaces:\n  - " + modulePath + " => " + testenv.Repository(t, ".") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(manifest), 0o600))

	output, err = run(t.Context(), dir, builder, "--config", "manifest.yaml", "--skip-strict-versioning=false")
	require.NoError(t, err, output)

	collector := filepath.Join(dir, "own", "otelcol-own")
	output, err = run(t.Context(), dir, collector, "components")
	require.NoError(t, err, output)
	assert.Contains(t, output, "- name: ebpf\n      module: "+modulePath)

	const config = `yaml:{receivers: {ebpf: {programs: {connection: }}}, exporters: {debug: }, ` +
		`service: {pipelines: {logs: {receivers: [ebpf], exporters: [debug]}, metrics: {receivers: [ebpf], exporters: [debug]}}}}`
	output, err = run(t.Context(), dir, collector, "validate", "--config", config)
	require.NoError(t, err, output)
}

func TestReadmeShowsTheTwoLines(t *testing.T) {
	readme, err := os.ReadFile(testenv.Repository(t, "README.md"))
	require.NoError(t, err)
	if !strings.Contains(string(readme), twoLines) {
		t.Errorf("README.md does not show these lines:\n%s", twoLines)
	}
}
