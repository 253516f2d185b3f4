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

// testPackage is a package whose tests run in the guests. Its lists are patterns of tests, as for go test -run. All tests run on the
// host; to start a receiver takes ten seconds in an emulator, so that guests run what may differ between kernels.
type testPackage struct {
	path string
	// everywhere are the tests for all kernels. If there are none, all tests are.
	everywhere []string
	// oldest and newest are further tests for the kernels at the ends. What works on both works in between.
	oldest, newest []string
	// once are tests that do not depend on the architecture. They run on amd64 only.
	once []string
	// skip are tests that run on no guest.
	skip []string
}

// newest is the newest kernel.
var newest = line{"7", "amd64"}

// selected returns the tests to run on a kernel, as a regular expression; "" for all.
func (p *testPackage) selected(l line) string {
	if len(p.everywhere) == 0 {
		return ""
	}
	tests := slices.Clone(p.everywhere)
	switch l {
	case supported[0]:
		tests = append(tests, p.oldest...)
	case newest:
		tests = append(tests, p.newest...)
	}
	return strings.Join(tests, "|")
}

// skipped returns the tests to skip on a kernel, as a regular expression.
func (p *testPackage) skipped(l line) string {
	skip := slices.Clone(p.skip)
	if l.architecture != "amd64" {
		skip = append(skip, p.once...)
	}
	if len(p.everywhere) == 0 && l != supported[0] {
		skip = append(skip, p.oldest...)
	}
	if len(p.everywhere) == 0 && l != newest {
		skip = append(skip, p.newest...)
	}
	// Patterns of subtests come last: go test uses the first alternative that matches a prefix of the test's name.
	slices.SortStableFunc(skip, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return strings.Join(skip, "|")
}

var packages = []testPackage{
	{
		path: "./test/suites/kernel",
		// Each program, and each way to get at its facts.
		everywhere: []string{
			"ConnectionBytesWhileOpen",
			"Connection(Established|Listeners|OfMPTCP|Subflows)",
			"ConnectionUDP(Connect|Send)",
			"ConnectionUnixByRing",
			"ConnectionZeroWindows",
			"DNS(Answers|Lookups|OverTCP)$",
			"DiskIOOperations",
			"FileDescriptorOperations",
			"FileOpens",
			"OOMKillsAreCounted",
			"PacketDropByFilterOnTheWayIn",
			"PacketDropsOfHealthyTraffic",
			"PacketsOfAllKinds",
			"ProcessEnds$",
			"RunqueueStall",
			"SyscallsAreCounted",
			"TCPRetransmits",
			"TestConnection(Causes|Failed|Reset|Unix)$",
			"TestFileDeletions(ByRing)?$",
			"TestHooks",
			"TestPacketDropOfSegments$",
		},
		// State is kept by address before Linux 5.12, and drops have no reasons before 5.17.
		oldest: []string{
			"ActiveConnection",
			"CapabilitiesSuffice",
			"Connection(CauseOfFullQueue|ClosedByExit|EndCauses|LimitedByTheReceiver|MetricsByPeer|OfPreforked|OutOfOrder|PassedOn|Retransmits|UDPSocket|sOfListeners|sOlderThanTheReceiver$)",
			"DNS(Metric|QueriesTogether|Retries|ServerDomain)",
			"Include",
			"LockedMemory",
			"OOMKillOfAnother",
			"PacketDrop(AtFull|ByFilter|Of(Established|Fragments)|sLeaveOutOrdinary)",
			"ProgramsTogether",
			"ShutdownLeavesNothing",
			"TCP(BesideConnection|Handshakes|ResetAfter|ResetByListener|ResetOfClosed|SegmentsTogether)",
			"TestTCPReset$",
		},
		newest: []string{
			"Connection(CauseOfFullQueue|Deferred|FailedAtOnce|LimitedByTheReceiver|LinkLocal|Metrics(ByPeer)?$|Translated|UDPFailed|UnixInterrupted)",
			"DNSTranslated",
			"DiskIO(Merge|SlowOperation|WriteBack)",
			"FileDeletion(Refused|sWithoutPath)",
			"Include",
			"OOMKillOf",
			"PacketDrop(ByFilter|OfSegments)",
			"Process(Arguments|ScriptsAndPaths)",
			"ShortLivedContainer",
			"Syscalls(OnFiles|WithNegativeResults)",
			"TestTCPReset$",
		},
		once: []string{"PacketDropOf", "PacketDropsOf"},
		skip: []string{
			"DNSByLibrary",                  // the guests have no C library
			"DNSRetriesOfResolvers",         // nor the settings of a resolver
			".*/mapped",                     // what sockets for both families do is as with either
			"MetricsWithoutEvents",          // it does not depend on the kernel
			"ProgramsTogetherIsComplete",    // it reads the sources, which the guests do not have
			"ShutdownLeavesNothing/^[^ ]*$", // all programs at once remain
		},
	},
	{path: "./receiver/ebpfreceiver/internal/kernel", oldest: []string{"ContainersChurn", "SymbolMemory"}},
	{path: "./receiver/ebpfreceiver/internal/ring", oldest: []string{"LosesNoWakeUp"}},
	// This package comes last: its test changes the kernel for good.
	{path: "./test/suites/kernel/irreversible", oldest: []string{"UnprivilegedBPF"}},
}

const (
	guestPackage = "./test/tools/vmtest/guest"
	// agentPackage is what the agents of the tests run, agentFile where the guest has it.
	agentPackage, agentFile = "./test/support/traffic/agent", "/agent"
)

// binaries are the files for the guests of an architecture, by their paths in the guest.
type binaries map[string]string

// buildAll builds the binaries for the guests of each architecture.
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

// testBinary is the path of a package's test binary in the guest.
func testBinary(path string) string {
	return "/" + strings.ReplaceAll(strings.TrimPrefix(path, "./"), "/", "-") + ".test"
}

// build builds a static binary without debug information.
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

// testdata returns the files that a package's tests read, by their paths relative to the module.
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
