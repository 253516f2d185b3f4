// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Release makes the files of a release from built collectors: for each one an archive, an SBOM, the licences of linked modules, packages
// for Debian and for distributions with rpm, and the checksums of all files. The same executables give the same bytes, whenever and
// wherever it runs. Run it in the root of the repository, with the module cache that the executables were built with. It uses no network.
package main

import (
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// packaged is the collector that is in the packages. The other one, for gateways and Kubernetes, comes as an image.
const packaged = "otelcol-ebpf"

// release is what all files of a release have in common.
type release struct {
	version string
	// time is the time of the commit. All files have it.
	time   time.Time
	output string
	// files are the committed files in the archives.
	files []string
	// level is the level of compression.
	level int
	env   goEnv
}

func main() {
	r := release{}
	seconds := flag.Int64("time", 0, "time of all files, in seconds since 1970")
	files := flag.String("files", "", "committed files in the archives, separated by spaces")
	flag.StringVar(&r.version, "version", "", "version of the collectors")
	flag.StringVar(&r.output, "output", "dist-release", "folder of the result")
	flag.IntVar(&r.level, "level", gzip.BestCompression, "level of compression, from 1 to 9")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: release [flags] EXECUTABLE…")
		flag.PrintDefaults()
	}
	flag.Parse()
	r.time, r.files = time.Unix(*seconds, 0).UTC(), strings.Fields(*files)
	if flag.NArg() == 0 || r.version == "" || *seconds == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := r.make(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func (r *release) make(executables []string) (err error) {
	if r.env, err = readGoEnv(); err != nil {
		return err
	}
	if err := os.MkdirAll(r.output, 0o755); err != nil { //nolint:gosec // for everybody
		return err
	}
	var made []string
	for _, path := range executables {
		files, err := r.makeFor(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		made = append(made, files...)
	}
	return r.writeChecksums(made)
}

// makeFor makes the files of one executable, and returns their names.
func (r *release) makeFor(path string) (names []string, err error) {
	e, err := readExecutable(path)
	if err != nil {
		return nil, err
	}
	licences, err := r.env.licences(e)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s_%s_linux_%s", e.name, r.version, e.architecture)
	text := notice(e.name+" "+r.version, licences)

	sbom, err := r.sbom(e, licences)
	if err != nil {
		return nil, fmt.Errorf("SBOM: %w", err)
	}
	if err := r.write(name+".cdx.json", sbom); err != nil {
		return nil, err
	}
	archive, err := r.archive(e, name, text)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	if err := r.write(name+".tar.gz", archive); err != nil {
		return nil, err
	}
	names = []string{name + ".cdx.json", name + ".tar.gz"}
	if e.name != packaged {
		return names, nil
	}
	packages, err := r.packages(e, text)
	if err != nil {
		return nil, fmt.Errorf("package: %w", err)
	}
	return append(names, packages...), nil
}

func (r *release) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(r.output, name), content, 0o644) //nolint:gosec // for everybody
}
