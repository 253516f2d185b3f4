// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package file is the program `file`: the files that processes delete, and those that they open.
package file

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

const (
	// defaultEventLimit limits the events when a whole tree is deleted. Its metrics have no limit.
	defaultEventLimit = 1000

	// maxPaths is a quarter of the entries in the map of the BPF side: each path needs two, one as a directory and one as a
	// file, and as many for what it resolves to.
	maxPaths = 64
	// maxPathLength is in bytes. The BPF side compares one byte more.
	maxPathLength = len(bpf.FilePrefix{}.Text) - 2
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "file",
	Purpose: "Which files and directories processes delete, and which files they open.",
	Settings: map[string]program.Setting{
		"opens::paths": {
			Unit:    fmt.Sprintf("list of absolute paths, at most %d of %d bytes each", maxPaths, maxPathLength),
			Meaning: "Files and directories whose opens are reported. A directory stands for everything below it. Symbolic links are resolved at the start. Default: none.",
			Schema: program.Schema{
				"maxItems": maxPaths, "uniqueItems": true, "items": program.Schema{"pattern": "^/", "maxLength": maxPathLength},
			},
		},
		"opens::write_only": {
			Meaning: "Whether to report only opens that may change the file: for writing, or with `O_TRUNC`.",
		},
	},
	Example:       "{opens: {paths: [/etc], write_only: true}}",
	Problems:      problems,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

// Config is the configuration block `programs::file`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Opens selects the opens that are reported in addition to deletions.
	Opens Opens `mapstructure:"opens"`
}

// Opens is the configuration block `programs::file::opens`.
type Opens struct {
	// Paths are absolute paths of files, and of directories with everything below them. If empty, no opens are reported.
	Paths []string `mapstructure:"paths"`
	// WriteOnly leaves out opens that cannot change the file.
	WriteOnly bool `mapstructure:"write_only"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{CommonConfig: program.Limited(defaultEventLimit), Opens: Opens{Paths: []string{}}}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	return errors.Join(c.CommonConfig.Validate(), c.Opens.validate())
}

func (o *Opens) validate() error {
	var errs []error
	if len(o.Paths) > maxPaths {
		errs = append(errs, fmt.Errorf("opens::paths: there are %d, and room for %d; list directories above them", len(o.Paths), maxPaths))
	}
	if o.WriteOnly && len(o.Paths) == 0 {
		errs = append(errs, errors.New("opens::write_only: no opens are reported without opens::paths; list some, such as /etc, or leave the key out"))
	}
	for i, p := range o.Paths {
		switch {
		case !strings.HasPrefix(p, "/"):
			errs = append(errs, fmt.Errorf("opens::paths::%d: %q is not absolute; begin it with a slash", i, p))
		case strings.ContainsRune(p, 0):
			errs = append(errs, fmt.Errorf("opens::paths::%d: %q has a zero byte, which no path has", i, p))
		case path.Clean(p) != p:
			errs = append(errs, fmt.Errorf("opens::paths::%d: %q is not the shortest form of that path; write %q", i, p, path.Clean(p)))
		case len(p) > maxPathLength:
			errs = append(errs, fmt.Errorf("opens::paths::%d: %q has %d bytes, and room for %d; list a directory above it", i, p, len(p), maxPathLength))
		case slices.Index(o.Paths, p) < i:
			errs = append(errs, fmt.Errorf("opens::paths::%d: %q is listed twice", i, p))
		}
	}
	return errors.Join(errs...)
}
