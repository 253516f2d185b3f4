// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"
)

// Package is one version of a package in an index.
type Package struct {
	Name, Version, Architecture string
	// Depends are the names of the packages that it depends on. Of alternatives, only the first is listed.
	Depends []string
	// File is the base name in the archive, SHA256 the file's checksum in hexadecimal.
	File, SHA256 string
}

// String names the package as apt-get download takes it.
func (p Package) String() string { return p.Name + ":" + p.Architecture + "=" + p.Version }

// ParseIndex reads the stanzas of a package index.
func ParseIndex(r io.Reader) (packages []Package, err error) {
	var p Package
	end := func() {
		if p.Name != "" {
			packages = append(packages, p)
		}
		p = Package{}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "":
			end()
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "Architecture":
			p.Architecture = value
		case "Depends":
			p.Depends = parseDepends(value)
		case "Filename":
			p.File = path.Base(value)
		case "SHA256":
			p.SHA256 = value
		}
	}
	end()
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the package index: %w", err)
	}
	return packages, nil
}

func parseDepends(value string) (names []string) {
	for dependency := range strings.SplitSeq(value, ",") {
		if fields := strings.Fields(dependency); len(fields) > 0 {
			names = append(names, fields[0])
		}
	}
	return names
}

// Newest returns the packages of the newest cloud kernel whose version begins with the series, such as 6.1: the image
// package, and the packages with the kernel and its modules where Debian has split them off.
func Newest(packages []Package, series, architecture string) ([]Package, error) {
	suffix := "-cloud-" + architecture
	var image Package
	for _, p := range packages {
		// Skip meta packages: they have no version in their name and no content, and depend on the newest kernel.
		if !strings.HasPrefix(p.Name, "linux-image-"+series+".") || !strings.HasSuffix(p.Name, suffix) ||
			!strings.HasPrefix(p.Version, series+".") {
			continue
		}
		if image.Name == "" || Compare(p.Version, image.Version) > 0 {
			image = p
		}
	}
	if image.Name == "" {
		return nil, fmt.Errorf("the archive has no package linux-image-%s.*%s", series, suffix)
	}
	abi := strings.TrimPrefix(image.Name, "linux-image-")
	all := []Package{image}
	for _, name := range image.Depends {
		if name != "linux-binary-"+abi && name != "linux-modules-"+abi {
			continue
		}
		part, found := find(packages, name, image.Version)
		if !found {
			return nil, fmt.Errorf("the archive has no package %s=%s, which %s depends on", name, image.Version, image.Name)
		}
		all = append(all, part)
	}
	return all, nil
}

func find(packages []Package, name, version string) (Package, bool) {
	for _, p := range packages {
		if p.Name == name && p.Version == version {
			return p, true
		}
	}
	return Package{}, false
}
