// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// later is the version of the packages to upgrade to.
const later = "999.0.0"

// The comment that the configuration of the later version begins with.
const news = "# Another configuration than before.\n"

// work is the folder of the releases. It is removed after the last test.
var work string

// releases are made once for all tests, because that takes some seconds.
var releases struct {
	once         sync.Once
	first, again release
	later        release
	err          error
}

// built returns a release, a second build of the same, and a later version with another configuration. All have the same executable.
func built(t *testing.T) (first, again, next release) {
	t.Helper()
	executable, tool := testenv.Collector(t), testenv.Repository(t, ".cache/bin/release")
	if _, err := os.Stat(tool); err != nil {
		testenv.Missing(t, "the tool is not built, run `make test-packages`: "+err.Error())
	}
	r := &releases
	r.once.Do(func() {
		work = must(os.MkdirTemp("", "packages"))(t)
		root := testenv.Repository(t, ".")
		files := strings.Fields(run(t, "make", "--no-print-directory", "--directory", root, "release-files"))
		manifest := must(os.ReadFile(filepath.Join(root, "builder-config.yaml")))(t)
		version := string(regexp.MustCompile(`(?m)^ {2}version: (\S+)$`).FindSubmatch(manifest)[1])
		r.first = release{filepath.Join(work, "first"), version, files}
		r.again = release{filepath.Join(work, "again"), version, files}
		r.later = release{filepath.Join(work, "later"), later, files}

		changed := filepath.Join(work, "changed")
		for _, name := range files {
			content := must(os.ReadFile(filepath.Join(root, name)))(t)
			if name == "config.yaml" {
				content = append([]byte(news), content...)
			}
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(changed, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(changed, name), content, 0o600))
		}
		var all sync.WaitGroup
		made := []release{r.first, r.again, r.later}
		errs := make([]error, len(made))
		for i, from := range []string{root, root, changed} {
			all.Go(func() {
				cmd := exec.Command(tool, "-version", made[i].version, "-time", "1700000000", "-level", "1", "-output", made[i].dir,
					"-files", strings.Join(files, " "), executable)
				cmd.Dir = from
				if output, err := cmd.CombinedOutput(); err != nil {
					errs[i] = fmt.Errorf("%w: %s", err, output)
				}
			})
		}
		all.Wait()
		r.err = errors.Join(errs...)
	})
	require.NoError(t, r.err)
	require.NotEmpty(t, r.later.dir, "an earlier test could not make the releases")
	return r.first, r.again, r.later
}

// release is a folder with the files of a release.
type release struct {
	dir, version string
	// files are the committed files in the archive.
	files []string
}

// path returns the path of a file whose name depends on the version.
func (r release) path(parts ...string) string { return filepath.Join(r.dir, strings.Join(parts, "")) }

func (r release) deb() string {
	return r.path("otelcol-ebpf_", r.version, "_", runtime.GOARCH, ".deb")
}

func (r release) rpm() string {
	return r.path("otelcol-ebpf-", r.version, "-1.", map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH], ".rpm")
}

func (r release) archive() string {
	return r.path("otelcol-ebpf_", r.version, "_linux_", runtime.GOARCH)
}

func run(t *testing.T, name string, args ...string) (output string) {
	t.Helper()
	text, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), text)
	return string(text)
}

// must fails the test if a call failed.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		require.NoError(t, err)
		return value
	}
}
