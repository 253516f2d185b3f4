// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers the format
)

const description = `OpenTelemetry Collector with the ebpf receiver
Kernel events as OTLP logs and metrics: connections, dropped packets,
retransmits, executions, OOM kills, slow disks and more.`

//go:embed scripts
var scripts embed.FS

//go:embed environment
var environment []byte

// packages makes the packages of an executable, and returns their names.
func (r *release) packages(e *executable, notice []byte) (names []string, err error) {
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.CopyFS(dir, scripts); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{"NOTICE": notice, "environment": environment} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	for _, format := range []string{"deb", "rpm"} {
		packager, err := nfpm.Get(format)
		if err != nil {
			return nil, err
		}
		info := nfpm.WithDefaults(r.describe(e, dir))
		name := packager.ConventionalFileName(info)
		var content bytes.Buffer
		if err := packager.Package(info, &content); err != nil {
			return nil, err
		}
		if err := r.write(name, content.Bytes()); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// describe describes the package. The folder has the files that are not in the repository.
//
// No user is made: the unit's DynamicUser= gives the service one. Its folders for state and logs are made by systemd, too. The
// logs need no rotation, because the file exporter rotates its files by itself.
func (r *release) describe(e *executable, dir string) *nfpm.Info {
	script := func(name string) string { return filepath.Join(dir, "scripts", name+".sh") }
	compression := "gzip:" + strconv.Itoa(r.level)
	return &nfpm.Info{
		Name: e.name, Arch: e.architecture, Platform: "linux", Version: r.version, MTime: r.time,
		Section: "net", Priority: "optional", License: "Apache-2.0",
		Maintainer:  "The otelcol-ebpf Authors <noreply@otelcol-ebpf.invalid>",
		Homepage:    "https://github.com/otelcol-ebpf/otelcol-ebpf",
		Description: description,
		Overridables: nfpm.Overridables{
			Recommends: []string{"ca-certificates"},
			Contents:   r.contents(e, dir),
			Scripts: nfpm.Scripts{
				PostInstall: script("postinstall"), PreRemove: script("preremove"), PostRemove: script("postremove"),
			},
			// gzip is what every version of dpkg and rpm can read.
			Deb: nfpm.Deb{Compression: compression},
			// Otherwise, the package would have the name of this machine.
			RPM: nfpm.RPM{Compression: compression, BuildHost: "localhost"},
		},
	}
}

func (r *release) contents(e *executable, dir string) (contents files.Contents) {
	add := func(source, destination, kind string, mode fs.FileMode) {
		contents = append(contents, &files.Content{
			Source: source, Destination: destination, Type: kind, FileInfo: &files.ContentFileInfo{Mode: mode},
		})
	}
	add(e.path, "/usr/bin/"+e.name, "", 0o755)
	add("deploy/otelcol-ebpf.service", "/usr/lib/systemd/system/otelcol-ebpf.service", "", 0o644)
	add("config.yaml", "/etc/otelcol-ebpf/config.yaml", files.TypeConfigNoReplace, 0o644)
	// The file is for keys. Only systemd reads it.
	add(filepath.Join(dir, "environment"), "/etc/otelcol-ebpf/environment", files.TypeConfigNoReplace, 0o600)
	documents := "/usr/share/doc/" + e.name + "/"
	add("LICENSE", documents+"copyright", "", 0o644)
	add("bpf/LICENSE", documents+"copyright.bpf", "", 0o644)
	add(filepath.Join(dir, "NOTICE"), documents+"NOTICE", "", 0o644)
	for _, path := range r.files {
		if path == "README.md" || path == "CHANGELOG.md" || strings.HasPrefix(path, "examples/") {
			add(path, documents+path, "", 0o644)
		}
	}
	return contents
}
