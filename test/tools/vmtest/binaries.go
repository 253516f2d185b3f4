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

// testPackage is a package whose tests run in the guests. Its lists are patterns of tests to skip, as for go test -skip.
type testPackage struct {
	path string
	// skip are tests that do not depend on the kernel but take minutes in an emulator.
	skip []string
	// once are tests that do not depend on the architecture. They run on amd64 only.
	once []string
	// oldest are tests of what has not changed between one kernel and the next, or changes with hooks that other tests attach.
	// They run on the oldest kernel only, besides the host.
	oldest []string
	// ends are tests of what a newer kernel may change for good, once. They run on the kernels at the ends: what works on the
	// oldest and on the newest works in between.
	ends []string
	// onOne are tests that find nothing on other kernels that other tests would not find. They run on the kernel allIn only.
	onOne []string
}

// allIn is the kernel that runs the tests of onOne.
var allIn = line{"7", "amd64"}

// ends are the kernels that run the tests of ends.
var ends = []line{supported[0], allIn, {"6.12", "arm64"}}

// skipped returns the tests to skip on a kernel, as a regular expression.
func (p *testPackage) skipped(l line) string {
	skip := slices.Clone(p.skip)
	if l.architecture != "amd64" {
		skip = append(skip, p.once...)
	}
	if !slices.Contains(ends, l) {
		skip = append(skip, p.ends...)
	}
	if l != allIn {
		skip = append(skip, p.onOne...)
	}
	if l != supported[0] {
		skip = append(skip, p.oldest...)
	}
	// Patterns of subtests come last: go test uses the first alternative that matches a prefix of the test's name.
	slices.SortStableFunc(skip, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return strings.Join(skip, "|")
}

var packages = []testPackage{
	{
		path: "./test/suites/kernel",
		// Load tests, and how the receiver handles its pipelines and settings.
		skip: []string{
			".*/mapped", // what sockets for both families do is as with either
			"AllBut",
			"CanBeSwitchedOff",
			"ConnectionUDPManyPeers",
			"ConsumerThat",
			"DeliversTheRest",
			"EventLimit",
			"DropsExcluded",
			"FileDescriptorLeak",
			"FileDescriptorsInMasses",
			"FullRing",
			"Histograms",
			"MetricTypes",
			"MetricsWithoutEvents",
			"OfProcessThatExecutes", // it needs a shell, which the guests do not have
			"OnePipeline",
			"Reload",
			"RoomFor",
			"SeriesGoWithTheirContainer",
			"ProgramsTogetherIsComplete",    // it reads the sources, which the guests do not have
			"ShutdownLeavesNothing/^[^ ]*$", // all programs at once remain
			"StalledConsumer",
			"StuckConsumer",
			"TestExclude$",
			"TwoReceivers",
			"WithoutStart",
		},
		once: []string{
			"Container",
			"ConnectionLinkLocal",
			"ConnectionTranslated",
			"DiskIOWriteBack",
			"FileDescriptorSelf",
			"OfPIDNamespace",
			"PacketDrop(Has|Of|s)",
			"ProcessOfMany",
			"RunqueueIs",
			"TCPRetransmits",
			"TestTCPReset$",
		},
		oldest: []string{
			"ActiveConnection",
			"CapabilitiesSuffice",
			"Connection(Bytes$|ClosedByExit|FailedFrom|Of(Killed|Preforked|Thread)|OnLoopback|PassedOn|Protocols|ToDNS|UnixLeaves|Without|s)",
			"ConnectionUDP(Socket|To|Without)",
			"ContainerWithName",
			"DiskIO(Failure|InMemory|OfDisk|OverAnother|PartialCompletion|Requeue)",
			"ExcludeSelf",
			"FileDeletionsInMasses",
			"FileDescriptor(Bound|Kinds|Threads|Zombie)",
			"FilePaths",
			"IgnoredProgram",
			"LockedMemory",
			"MissingPrivileges",
			"Nested|Ordinary|EachSide",
			"PIDNamespaces",
			"PacketDrop(At|Has|Of(Container|Established|Fragments|Frames|Groups)|Sizes|sLeaveOutUn)",
			"Packets(InPieces|Of(A[A-Z]|An|Interfaces|Upper)|ThatAreLeftOut)",
			"Process(ArgumentCount|OfAnID|esInMasses|esThatAreLeftOut)",
			"ProgramStates",
			"ProgramsTogether",
			"Runqueue(MetricsOnly|Of|Overflow|Threshold)",
			"ShutdownLeavesNothing",
			"Syscall(Filters|sAcross|sOf|sThatWait)",
			"TestUnits",
			"TCP(Handshakes|IsOff|RTT|ResetAfter|ResetBy|ResetOf|Segments)",
		},
		ends: []string{
			"Connection(Deferred|LinkLocal|Metrics|Translated|UDPLinkLocal|UnixInterrupted)",
			"DiskIO(Merge|SlowOperation|WriteBack)",
			"FileDeletion(Refused|sWithoutPath)",
			"OOM(KillOfSwapped|MetricsOnly)",
			"PacketDrop(ByFilterOnTheWayOut|OfFilteredAcknowledgements|OfSegmentsForNobody|sLeaveOut)",
			"Packets(AreSampled|OfSocketsOnLoopback|OnLoopback)",
			"Process(Arguments|EndsWithoutItsFirstThread|ScriptsAndPaths)",
			"RunqueueIs",
			"ShortLivedContainer",
			"Syscalls(OnFiles|WithNegativeResults|WithoutName)",
			"TCP(Retransmits|Reset$)",
		},
		onOne: []string{
			"ContainerOf",
			"PacketDropsExcluded",
			"RunTimeOnly",
			"SeriesOfEachProgram",
			"SeriesWithoutContainerAttributes",
		},
	},
	{path: "./receiver/ebpfreceiver/internal/kernel", oldest: []string{"SymbolMemory"}, ends: []string{"ContainersChurn"}},
	{path: "./receiver/ebpfreceiver/internal/ring", oldest: []string{"LosesNoWakeUp"}},
	// This package comes last: its test changes the kernel for good.
	{path: "./test/suites/kernel/irreversible", ends: []string{"UnprivilegedBPF"}},
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
