// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/google/licensecheck"
	"github.com/google/uuid"
	"github.com/rs/zerolog"
)

// sbom returns the software bill of materials of an executable, in the format of CycloneDX.
func (r *release) sbom(e *executable, licences []licence) ([]byte, error) {
	// If the generator were to find the licences, it would ask the module proxy for the modules.
	generator, err := bin.NewGenerator(e.path,
		bin.WithIncludeStdlib(true), bin.WithVersionOverride("v"+r.version), bin.WithLogger(zerolog.Nop()))
	if err != nil {
		return nil, err
	}
	bom, err := generator.Generate()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(e.path)
	if err != nil {
		return nil, err
	}
	// Otherwise, these fields would be a random number and the present time.
	sum := sha256.Sum256(program)
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceOID, sum[:]).URN()
	bom.Metadata.Timestamp = r.time.Format(time.RFC3339)
	bom.Metadata.Component.Name = e.name
	addLicences(*bom.Components, licences)
	var text bytes.Buffer
	replacer := r.nameOwnModules(e, *bom.Components)
	if err := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, err
	}
	return []byte(replacer.Replace(text.String())), nil
}

// nameOwnModules gives the modules of this repository their names and version. The build names them by their folders. The replacer
// replaces the references to these in the text.
func (r *release) nameOwnModules(e *executable, components []cyclonedx.Component) *strings.Replacer {
	var replacements []string
	for i := range components {
		c := &components[i]
		if path, own := e.own[c.Name]; own {
			replacements = append(replacements, "pkg:golang/"+c.Name+"@"+c.Version, "pkg:golang/"+path+"@v"+r.version)
			c.Name, c.Version = path, "v"+r.version
		}
	}
	return strings.NewReplacer(replacements...)
}

// addLicences adds the names of the licences. A text that differs from every known licence gets no name, because a wrong one is worse.
func addLicences(components []cyclonedx.Component, licences []licence) {
	names := map[string]cyclonedx.Licenses{}
	for _, l := range licences {
		names[l.module.Path] = l.names()
	}
	for i := range components {
		if found := names[components[i].Name]; len(found) > 0 {
			components[i].Licenses = &found
		}
	}
}

// named are the names of files with the licence of the module itself.
var named = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)`)

// names are the names of the licences in SPDX's list.
func (l licence) names() (names cyclonedx.Licenses) {
	for _, t := range l.texts {
		// Notices quote the licences of others.
		if !named.MatchString(t.name) {
			continue
		}
		coverage := licensecheck.Scan([]byte(t.content))
		if coverage.Percent < 75 {
			continue
		}
		for _, match := range coverage.Match {
			name := cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: match.ID}}
			if !slices.ContainsFunc(names, func(known cyclonedx.LicenseChoice) bool { return known.License.ID == match.ID }) {
				names = append(names, name)
			}
		}
	}
	return names
}
