// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package distribution

import (
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

const (
	nodeManifest = "builder-config.yaml"
	fullManifest = "distributions/full.yaml"
	// exporterModule is that of the exporter event_store, which has dependencies of its own.
	exporterModule = "exporter/eventstoreexporter/go.mod"
)

const contrib = "github.com/open-telemetry/opentelemetry-collector-contrib/"

// others are modules in the manifests whose version is not that of the collector's release. When you change the release, try
// to update these, too.
var others = map[string]struct{ version, why string }{
	contrib + "extension/healthcheckv2extension":     {"v0.159.0", "v0.160.0 and v0.161.0 are not on the module proxy"},
	contrib + "exporter/kafkaexporter":               {"v0.160.0", "v0.161.0 needs pkg/kafka/configkafka and pkg/kafka/topic, which are not on the module proxy"},
	contrib + "processor/k8sattributesprocessor":     {"v0.160.0", "its v1.0.0, of the release v0.161.0, has tests that need pkg/semconvtest, which is not on the module proxy"},
	contrib + "processor/resourcedetectionprocessor": {"v0.160.0", "v0.161.0 needs detectors of v0.18.0, six of which are not on the module proxy"},
}

// The files that name the collector's release agree: the manifests, the receiver's go.mod and the tools' go.mod.
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

	unused := maps.Clone(others)
	for _, file := range []string{nodeManifest, fullManifest, "test/suites/distribution/testdata/manifest.yaml"} {
		for path, version := range manifestModules(t, file) {
			if other, ok := others[path]; ok {
				delete(unused, path)
				assert.Equal(t, other.version, version, "%s in %s: %s", path, file, other.why)
				continue
			}
			assertRelease(t, file, path, version, beta, stable)
		}
	}
	assert.Empty(t, unused, "these exceptions are in no manifest")
	for _, file := range []string{"go.mod", exporterModule} {
		for path, version := range requirements(t, file) {
			assertRelease(t, file, path, version, beta, stable)
		}
	}
}

// The full manifest has all modules of the default one, in the same versions. The additional components are those that would
// add more than 500 packages to the default one.
func TestFullManifestHasTheOther(t *testing.T) {
	added := manifestModules(t, fullManifest)
	for path, version := range manifestModules(t, nodeManifest) {
		assert.Equal(t, version, added[path], "%s in %s", path, fullManifest)
		delete(added, path)
	}
	assert.ElementsMatch(t, []string{
		contrib + "exporter/kafkaexporter",
		contrib + "processor/k8sattributesprocessor",
		contrib + "processor/resourcedetectionprocessor",
	}, slices.Collect(maps.Keys(added)))
}

// What is built is what the manifests say: no module requires a newer version of another.
func TestManifestsAreBuilt(t *testing.T) {
	for manifest, collector := range map[string]string{nodeManifest: testenv.Collector(t), fullManifest: testenv.FullCollector(t)} {
		info, err := buildinfo.ReadFile(collector)
		require.NoError(t, err)
		linked := map[string]string{}
		for _, dep := range info.Deps {
			linked[dep.Path] = dep.Version
		}
		for path, version := range manifestModules(t, manifest) {
			assert.Equal(t, version, linked[path], "%s in %s", path, collector)
		}
	}
}

// No cloud's SDK and no client of Kubernetes is in the collector for nodes. They were a fifth of its packages.
func TestNodesHaveNoCloud(t *testing.T) {
	info, err := buildinfo.ReadFile(testenv.Collector(t))
	require.NoError(t, err)
	for _, dep := range info.Deps {
		for _, prefix := range []string{"github.com/aws/", "github.com/Azure/", "google.golang.org/api", "k8s.io/"} {
			assert.False(t, strings.HasPrefix(dep.Path, prefix), dep.Path)
		}
	}
	built, err := os.Stat(testenv.Collector(t))
	require.NoError(t, err)
	assert.LessOrEqual(t, built.Size(), int64(60e6))
}

// All modules of this repository, and `make`, require the same Go version.
func TestGoVersionsAgree(t *testing.T) {
	want := goVersion(t, "go.mod")
	for _, file := range []string{
		"internal/tools/go.mod", "internal/tools/dashboards/go.mod", "internal/tools/release/go.mod", "test/suites/deploy/kubernetes/go.mod",
		"test/suites/deploy/kubernetes/operator/go.mod", "distributions/reduced/eks/go.mod", "distributions/reduced/prometheus/go.mod",
		exporterModule,
	} {
		assert.Equal(t, want, goVersion(t, file), file)
	}
}

// All files use the same version of the semantic conventions, the one in metadata.yaml, and it is the newest in the module.
func TestConventionsAgree(t *testing.T) {
	metadata, err := os.ReadFile(testenv.Repository(t, "receiver/ebpfreceiver/metadata.yaml"))
	require.NoError(t, err)
	match := regexp.MustCompile(`(?m)^sem_conv_version: (\S+)$`).FindSubmatch(metadata)
	require.NotNil(t, match)
	version := "v" + string(match[1])

	imports, err := run(t.Context(), testenv.Repository(t, "."), "go", "list", "-f", `{{join .Imports "\n"}}`, "./receiver/...", "./test/...")
	require.NoError(t, err, imports)
	const semconv = "go.opentelemetry.io/otel/semconv/"
	used := map[string]bool{}
	for line := range strings.Lines(imports) {
		if found, ok := strings.CutPrefix(strings.TrimSpace(line), semconv); ok {
			used[found] = true
		}
	}
	assert.Equal(t, map[string]bool{version: true}, used, "imports of "+semconv)

	dir, err := run(t.Context(), testenv.Repository(t, "."), "go", "list", "-m", "-f", "{{.Dir}}", "go.opentelemetry.io/otel")
	require.NoError(t, err, dir)
	all, err := os.ReadDir(filepath.Join(strings.TrimSpace(dir), "semconv"))
	require.NoError(t, err)
	for _, one := range all {
		assert.False(t, newer(one.Name(), version), "there is a newer one, %s%s", semconv, one.Name())
	}
}

// newer reports whether version a, such as v1.43.0, is newer than b.
func newer(a, b string) bool {
	numbers := func(version string) (n []int) {
		for part := range strings.SplitSeq(strings.TrimPrefix(version, "v"), ".") {
			number, _ := strconv.Atoi(part)
			n = append(n, number)
		}
		return n
	}
	return strings.HasPrefix(a, "v") && slices.Compare(numbers(a), numbers(b)) > 0
}

// assertRelease checks that a module of the collector has the version of the release that beta and stable belong to.
func assertRelease(t *testing.T, file, path, version, beta, stable string) {
	t.Helper()
	if !strings.HasPrefix(path, "go.opentelemetry.io/collector/") && !strings.HasPrefix(path, contrib) {
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
	parsed := parseModule(t, file)
	require.NotEmpty(t, parsed.Require, file)
	versions := make(map[string]string, len(parsed.Require))
	for _, required := range parsed.Require {
		versions[required.Path] = required.Version
	}
	return versions
}

// goVersion returns the version of Go that a go.mod file names.
func goVersion(t *testing.T, file string) string {
	t.Helper()
	return parseModule(t, file).Go
}

// goMod is the content of a go.mod file.
type goMod struct {
	Go      string
	Require []struct{ Path, Version string }
}

func parseModule(t *testing.T, file string) (parsed goMod) {
	t.Helper()
	output, err := run(t.Context(), testenv.Repository(t, "."), "go", "mod", "edit", "-json", file)
	require.NoError(t, err, output)
	require.NoError(t, json.Unmarshal([]byte(output), &parsed))
	return parsed
}

var gomodLine = regexp.MustCompile(`(?m)^\s+- gomod: (\S+) (\S+)$`)

// manifestModules returns the versions in an ocb manifest, by module.
func manifestModules(t *testing.T, file string) map[string]string {
	t.Helper()
	manifest, err := os.ReadFile(testenv.Repository(t, file))
	require.NoError(t, err)
	lines := gomodLine.FindAllStringSubmatch(string(manifest), -1)
	require.Len(t, lines, strings.Count(string(manifest), "gomod:"), "not every gomod line of %s has a version", file)
	versions := make(map[string]string, len(lines))
	for _, line := range lines {
		versions[line[1]] = line[2]
	}
	return versions
}
