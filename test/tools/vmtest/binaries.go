// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// testPackage is a package whose tests are run in the guests, but for those that it names as go test -skip does.
type testPackage struct {
	path string
	// skip are tests that ask nothing of the kernel, but minutes of an emulator.
	skip []string
	// once are tests that ask nothing of the architecture: they are run on amd64 alone.
	once []string
	// onOne are tests that ask nothing more of each kernel than other tests do: they are run on the kernel allIn alone.
	onOne []string
	// sources are tests that read the sources, which no kernel has.
	sources []string
}

// allIn is the kernel that tests of onOne are run on.
var allIn = line{"6.1", "amd64"}

// skipped returns what is left out on a kernel, as a regular expression.
func (p *testPackage) skipped(l line) string {
	skip := slices.Concat(p.skip, p.sources)
	if l.architecture != "amd64" {
		skip = append(skip, p.once...)
	}
	if l != allIn {
		skip = append(skip, p.onOne...)
	}
	// Subtests come last: of alternatives, the first is taken that the name of a test is the beginning of.
	slices.SortStableFunc(skip, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return strings.Join(skip, "|")
}

var packages = []testPackage{
	{
		path: "./test/suites/kernel",
		// Loads, and how the receiver deals with its pipelines and settings.
		skip: []string{
			".*/mapped", // what sockets for both families do is as with either
			"AllBut",
			"CanBeSwitchedOff",
			"ConsumerThat",
			"DeliversTheRest",
			"EventLimit",
			"ExcludeDrops",
			"FileDescriptorLeak",
			"FileDescriptorsInMasses",
			"FullRing",
			"Histograms",
			"MetricTypes",
			"MetricsWithoutEvents",
			"OnePipeline",
			"Reload",
			"RoomFor",
			"SeriesGoWithTheirContainer",
			"ShutdownLeavesNothing/^(connection|packet_drop|tcp|syscall|both)$",
			"StalledConsumer",
			"StuckConsumer",
			"TestExclude$",
			"TwoReceivers",
			"WithoutStart",
		},
		once: []string{
			"Container",
			"ExcludeSelf",
			"FileDescriptor(Bound|Self)",
			"IgnoredProgram",
			"LockedMemory",
			"Masses",
			"MissingPrivileges",
			"PIDNamespaces",
			"ProgramStates",
			"ShutdownLeavesNothing",
		},
		onOne:   []string{"ProgramsTogether$"},
		sources: []string{"ProgramsTogetherIsComplete"},
	},
	{path: "./receiver/ebpfreceiver/internal/kernel"},
	{path: "./receiver/ebpfreceiver/internal/ring"},
	// The kernel is not the same after this one.
	{path: "./test/suites/kernel/irreversible"},
}

const (
	guestPackage = "./test/tools/vmtest/guest"
	// agentPackage is what the agents of the tests run, agentFile where the guest has it.
	agentPackage, agentFile = "./test/support/traffic/agent", "/agent"
)

// binaries are the files of an architecture's guests: by their paths in the guest.
type binaries map[string]string

// buildAll builds what the guests of each architecture run.
func buildAll(ctx context.Context, cache string, lines []line) (map[string]binaries, error) {
	all := map[string]binaries{}
	for _, l := range lines {
		if all[l.architecture] != nil {
			continue
		}
		dir, err := filepath.Abs(filepath.Join(cache, "bin", l.architecture))
		if err != nil {
			return nil, err
		}
		b := binaries{"/init": filepath.Join(dir, "init"), agentFile: filepath.Join(dir, "agent")}
		if err := build(ctx, l.architecture, "build", guestPackage, b["/init"]); err != nil {
			return nil, err
		}
		if err := build(ctx, l.architecture, "build", agentPackage, b[agentFile]); err != nil {
			return nil, err
		}
		for _, p := range packages {
			name := testBinary(p.path)
			b[name] = filepath.Join(dir, name)
			if err := build(ctx, l.architecture, "test", p.path, b[name]); err != nil {
				return nil, err
			}
		}
		all[l.architecture] = b
	}
	return all, nil
}

// testBinary is where the guest has the test binary of a package.
func testBinary(path string) string {
	return "/" + strings.ReplaceAll(strings.TrimPrefix(path, "./"), "/", "-") + ".test"
}

// build builds a binary that needs nothing of the guest's file system, without what only debuggers read.
func build(ctx context.Context, architecture, verb, path, to string) error {
	args := []string{verb, "-trimpath", "-ldflags=-s -w", "-o", to}
	if verb == "test" {
		args = slices.Insert(args, 1, "-c")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, path)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s for %s: %w\n%s", cmd, architecture, err, out)
	}
	return nil
}

// testdata are the files that a package's tests read, by their paths relative to the module.
func testdata(path string) (files []string, err error) {
	err = filepath.WalkDir(filepath.Join(path, "testdata"), func(file string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return filepath.SkipAll
		}
		if err == nil && d.Type().IsRegular() {
			files = append(files, file)
		}
		return err
	})
	return files, err
}
