// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// Two runs of the tool make the same files, byte by byte, and the checksums are those of the files.
func TestReproducible(t *testing.T) {
	first, again, _ := built(t)
	names := func(r release) (names []string) {
		for _, entry := range must(os.ReadDir(r.dir))(t) {
			names = append(names, entry.Name())
		}
		return names
	}
	require.Equal(t, names(first), names(again))
	require.Len(t, names(first), 5)
	sum := func(path string) [sha256.Size]byte { return sha256.Sum256(must(os.ReadFile(path))(t)) }
	for _, name := range names(first) {
		assert.Equal(t, sum(first.path(name)), sum(again.path(name)), name)
	}

	cmd := exec.Command("sha256sum", "--check", "--strict", "otelcol-ebpf_"+first.version+"_checksums.txt")
	cmd.Dir = first.dir
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
	assert.Equal(t, 4, strings.Count(string(output), ": OK\n"))
}

// The archive has the executable, the committed files and the third-party licences, in one folder.
func TestArchive(t *testing.T) {
	r, _, _ := built(t)
	content := archived(t, r)
	want := append([]string{"otelcol-ebpf", "NOTICE"}, r.files...)
	var names []string
	for name := range content {
		names = append(names, name)
	}
	assert.ElementsMatch(t, want, names)
	for _, name := range r.files {
		assert.Equal(t, must(os.ReadFile(testenv.Repository(t, name)))(t), content[name], name)
	}
	assert.Equal(t, sha256.Sum256(must(os.ReadFile(testenv.Collector(t)))(t)), sha256.Sum256(content["otelcol-ebpf"]))
}

// archived returns the files in the archive by their names.
func archived(t *testing.T, r release) map[string][]byte {
	t.Helper()
	file := must(os.Open(r.archive() + ".tar.gz"))(t)
	defer file.Close()
	files := tar.NewReader(must(gzip.NewReader(file))(t))
	content := map[string][]byte{}
	for {
		header, err := files.Next()
		if err == io.EOF {
			return content
		}
		require.NoError(t, err)
		name, ok := strings.CutPrefix(header.Name, filepath.Base(r.archive())+"/")
		require.True(t, ok, header.Name)
		content[name] = must(io.ReadAll(files))(t)
	}
}

// linked returns the versions of the third-party modules in the collector, and of the modules of this repository.
func linked(t *testing.T) (others, own map[string]string) {
	t.Helper()
	others, own = map[string]string{}, map[string]string{}
	for _, dep := range must(buildinfo.ReadFile(testenv.Collector(t)))(t).Deps {
		switch {
		case strings.HasPrefix(dep.Path, "github.com/otelcol-ebpf/"):
			own[dep.Path] = dep.Version
		case dep.Replace != nil:
			own["github.com/otelcol-ebpf/otelcol-ebpf/"+strings.TrimPrefix(dep.Replace.Path, "../")] = dep.Version
		default:
			others[dep.Path] = dep.Version
		}
	}
	require.Greater(t, len(others), 100)
	require.Len(t, own, 4)
	return others, own
}

// The licences of all modules that are linked in are there, with their whole texts.
func TestNotice(t *testing.T) {
	r, _, _ := built(t)
	notice := string(archived(t, r)["NOTICE"])
	others, _ := linked(t)
	for path, version := range others {
		line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(path+"@"+version) + `: (.+)$`).FindStringSubmatch(notice)
		require.NotNil(t, line, path)
		for _, number := range regexp.MustCompile(`\[\d+\]`).FindAllString(line[1], -1) {
			assert.Equal(t, 1, strings.Count(notice, "\n"+number+" "), "%s: text %s", path, number)
		}
	}
	assert.Contains(t, notice, "The Go standard library: LICENSE [1]")
	modules := strings.TrimSpace(run(t, "go", "env", "GOMODCACHE"))
	for _, module := range []string{"github.com/cilium/ebpf", "modernc.org/sqlite", "go.opentelemetry.io/otel"} {
		text := must(os.ReadFile(filepath.Join(modules, module+"@"+others[module], "LICENSE")))(t)
		assert.Contains(t, notice, strings.TrimSpace(string(text)), module)
	}
}

// The bill of materials has exactly the modules that are linked in, with their versions and licences.
func TestBillOfMaterials(t *testing.T) {
	r, _, _ := built(t)
	var bom struct {
		BOMFormat, SerialNumber string
		Metadata                struct {
			Component struct{ Name, Version string }
			Timestamp string
		}
		Components []struct {
			Name, Version, PURL string
			Licenses            []struct{ License struct{ ID string } }
		}
	}
	text := must(os.ReadFile(r.archive() + ".cdx.json"))(t)
	require.NoError(t, json.Unmarshal(text, &bom))
	assert.Equal(t, "CycloneDX", bom.BOMFormat)
	assert.Regexp(t, "^urn:uuid:[0-9a-f-]{36}$", bom.SerialNumber)
	assert.Equal(t, "otelcol-ebpf v"+r.version, bom.Metadata.Component.Name+" "+bom.Metadata.Component.Version)
	assert.Equal(t, "2023-11-14T22:13:20Z", bom.Metadata.Timestamp)
	// The folders in which this repository's modules were built do not appear.
	assert.NotContains(t, string(text), "golang/.")

	others, own := linked(t)
	want := map[string]string{"std": "go" + strings.TrimPrefix(must(buildinfo.ReadFile(testenv.Collector(t)))(t).GoVersion, "go")}
	maps.Copy(want, others)
	for path := range own {
		want[path] = "v" + r.version
	}
	versions, licences := map[string]string{}, map[string][]string{}
	for _, c := range bom.Components {
		versions[c.Name] = c.Version
		for _, l := range c.Licenses {
			licences[c.Name] = append(licences[c.Name], l.License.ID)
		}
		if _, isOwn := own[c.Name]; !isOwn {
			assert.NotEmpty(t, licences[c.Name], "%s has no licence", c.Name)
		}
	}
	assert.Equal(t, want, versions)
	assert.Equal(t, []string{"MIT"}, licences["github.com/cilium/ebpf"])
	assert.Equal(t, []string{"BSD-3-Clause"}, licences["std"])
	assert.Contains(t, licences["go.opentelemetry.io/collector/component"], "Apache-2.0")
}
