// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"io"
	"os"
	"sync"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// A tracepoint that is hit when a process writes its oom_score_adj, and otherwise hardly ever; and one that does not
// exist.
const (
	quietTracepoint = "oom_score_adj_update"
	noTracepoint    = "no_such_tracepoint"
)

// hit triggers the quiet tracepoint once.
func hit(t testing.TB) {
	t.Helper()
	const file = "/proc/self/oom_score_adj"
	score, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, score, 0))
}

// emptyFunction returns a function without effect for a tracepoint.
func emptyFunction(name, tracepoint string) *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{
		Name: name, Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: tracepoint,
		License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	}
}

// objectOf returns an object with functions and its own map.
func objectOf(functions ...*ebpf.ProgramSpec) *ebpf.CollectionSpec {
	spec := &ebpf.CollectionSpec{
		Programs: map[string]*ebpf.ProgramSpec{},
		Maps: map[string]*ebpf.MapSpec{
			"own": {Name: "own", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1},
		},
		Variables: map[string]*ebpf.VariableSpec{},
	}
	for _, f := range functions {
		spec.Programs[f.Name] = f
	}
	return spec
}

// working returns a program with one function at the quiet tracepoint.
func working() *fakeProgram {
	return &fakeProgram{
		spec:  objectOf(emptyFunction("works", quietTracepoint)),
		hooks: []Hook{Tracepoint("works", quietTracepoint)},
	}
}

// thisKernel reads the types of this kernel, once for all tests.
var thisKernel = sync.OnceValues(func() (*kernel.BTF, error) { return kernel.LoadBTF("") })

// emitNowhere accepts events and drops them.
func emitNowhere(func(*batch.Batch)) bool { return true }

// liveOptions returns the options for this kernel, and the reported states.
func liveOptions(t testing.TB) (options Options, states func() []string) {
	t.Helper()
	kerneltest.Require(t)
	types, err := thisKernel()
	require.NoError(t, err)
	var reported []string
	return Options{
			Kernel:   &Kernel{Host: kernel.ThisHost(), BTF: types, Containers: kernel.NewContainers(kernel.AllFields)},
			Settings: Settings{Logger: zaptest.NewLogger(t), Events: metadata.DefaultEventsConfig()},
			RingSize: 1 << 16,
			Emit:     emitNowhere,
			Report: func(s State) {
				line := s.Program + " " + s.Name
				if s.Hook != "" {
					line += " " + s.Hook
				}
				if s.Err != nil {
					line += ": " + s.Err.Error()
				}
				reported = append(reported, line)
			},
		}, func() []string {
			states := reported
			reported = nil
			return states
		}
}

func TestOpen(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	one, other, need := working(), working(), working()
	one.spec.Programs["second"] = emptyFunction("second", quietTracepoint)
	one.hooks = append(one.hooks, Tracepoint("second", quietTracepoint))
	helper := need.define("helper")
	set, err := Open(selectAll(one.define("one", helper), other.define("other", helper)), options)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"one loading", "one attached tp_btf/oom_score_adj_update", "one attached tp_btf/oom_score_adj_update",
		"other loading", "other attached tp_btf/oom_score_adj_update",
		"helper loading", "helper attached tp_btf/oom_score_adj_update",
	}, states())
	assert.Equal(t, 3, set.Attached())
	assert.Equal(t, "other", set.Name(2))
	assert.Equal(t, ebpf.RingBuf, set.Records().Type())
	for _, p := range []*fakeProgram{one, other, need} {
		require.Len(t, p.maps, 1, "only the object's own maps")
		require.NoError(t, p.maps["own"].Put(uint32(0), uint64(7)), "the map must exist in the kernel")
	}
	running := kerneltest.Objects(t)
	assert.Equal(t, 4, kerneltest.Kinds(running)["prog_id"])
	assert.Equal(t, 4, kerneltest.Kinds(running)["link_id"])

	set.Detach()
	assert.Equal(t, []string{"helper detached", "other detached", "one detached"}, states(), "in reverse order")
	assert.Zero(t, set.Attached())
	assert.Zero(t, kerneltest.Kinds(kerneltest.Objects(t))["link_id"]+kerneltest.Kinds(kerneltest.Objects(t))["prog_id"])
	var value uint64
	require.NoError(t, one.maps["own"].Lookup(uint32(0), &value), "maps stay readable after Detach")
	assert.EqualValues(t, 7, value)
	_, err = set.LastSequences()
	require.NoError(t, err)
	set.Detach()
	assert.Empty(t, states(), "a second Detach has no effect")
	require.NoError(t, set.Close())
	kerneltest.RequireGone(t, running)
}

// failing returns programs by the error of the step at which each fails.
func failing() map[string]*fakeProgram {
	noObject, refused, notLoaded, noFunction := working(), working(), working(), working()
	noObject.specErr = errBroken
	notLoaded.loadedErr = errBroken
	refused.spec.Programs["second"] = emptyFunction("second", quietTracepoint)
	refused.hooks = append(refused.hooks, Hook{Variants: []Variant{{
		Function: "second", Hook: "nowhere", Attach: func(*ebpf.Program) (io.Closer, error) { return nil, errBroken },
	}}})
	noFunction.hooks = append(noFunction.hooks, Tracepoint("missing", quietTracepoint))
	badMap, badVariable := working(), working()
	badMap.spec.Maps["own"].ValueSize = 0
	badVariable.spec = section(&ebpf.VariableSpec{Name: "number", SectionName: ".rodata", Value: make([]byte, 8)})
	badVariable.variables = map[string]any{"number": uint16(1)}
	return map[string]*fakeProgram{
		"read the embedded object: broken": noObject,
		"create maps: ":                    badMap,
		"set number: ":                     badVariable,
		"broken":                           notLoaded,
		"attach to nowhere: broken":        refused,
		"load tp_btf/oom_score_adj_update: the object has no function missing": noFunction,
	}
}

func TestOpenFails(t *testing.T) {
	for want, broken := range failing() {
		t.Run(want, func(t *testing.T) {
			options, states := liveOptions(t)
			kerneltest.LeavesNothing(t)
			set, err := Open(selectAll(
				working().define("first"), broken.define("broken"), working().define("last")), options)
			require.ErrorContains(t, err, "program broken: "+want)
			assert.Nil(t, set)
			got := states()
			require.Len(t, got, 8)
			assert.Equal(t, []string{"first loading", "first attached tp_btf/oom_score_adj_update", "broken loading"}, got[:3])
			assert.Contains(t, got[3], "broken failed: program broken: "+want)
			assert.Equal(t, []string{
				"last loading", "last attached tp_btf/oom_score_adj_update", "last detached", "first detached",
			}, got[4:])
		})
	}
}

func TestOpenKeepsGoing(t *testing.T) {
	for want, broken := range failing() {
		t.Run(want, func(t *testing.T) {
			options, states := liveOptions(t)
			kerneltest.LeavesNothing(t)
			options.KeepGoing = true
			set, err := Open(selectAll(
				working().define("first"), broken.define("broken"), working().define("last")), options)
			require.NoError(t, err)
			got := states()
			require.Len(t, got, 6)
			assert.Contains(t, got[3], "broken failed: program broken: "+want)
			assert.Equal(t, []string{"last loading", "last attached tp_btf/oom_score_adj_update"}, got[4:])
			assert.Equal(t, 2, set.Attached())
			assert.Equal(t, 2, kerneltest.Kinds(kerneltest.Objects(t))["prog_id"], "no objects of the failed program")
			assert.Empty(t, set.Name(2))
			require.ErrorContains(t, set.AppendLog(nil, headerOf(2)), "unknown program 2")
			m := newTestMetrics(options.Kernel.Containers)
			require.NoError(t, set.Scrape(m))
			for _, point := range points(t, m, "ebpf.event.delivered") {
				assert.NotEqual(t, "broken", point["ebpf.program.name"], "a zero would look like a measurement")
			}
			set.Detach()
			assert.Equal(t, []string{"last detached", "first detached"}, states())
			require.NoError(t, set.Close())
		})
	}
}

// The programs that a failed program needs are not loaded.
func TestOpenWithoutNeedsOfWhatFails(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	options.KeepGoing = true
	broken := working()
	broken.loadedErr = errBroken
	common, own := working().define("common"), working().define("own")
	set, err := Open(selectAll(broken.define("broken", own, common), working().define("good", common)), options)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"broken loading", "broken failed: program broken: broken",
		"good loading", "good attached tp_btf/oom_score_adj_update",
		"common loading", "common attached tp_btf/oom_score_adj_update",
	}, states())
	set.Detach()
	require.NoError(t, set.Close())
}

func TestOpenOfNothingThatRuns(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	options.KeepGoing = true
	broken := working()
	broken.loadedErr = errBroken
	set, err := Open(selectAll(broken.define("broken")), options)
	require.NoError(t, err)
	assert.Zero(t, set.Attached())
	require.NoError(t, set.Scrape(newTestMetrics(options.Kernel.Containers)))
	set.Detach()
	assert.Equal(t, []string{"broken loading", "broken failed: program broken: broken"}, states())
	require.NoError(t, set.Close())
}

// An error that affects all programs is returned before the first program is loaded, with or without KeepGoing.
func TestOpenWithoutWhatAllNeed(t *testing.T) {
	for _, keepGoing := range []bool{false, true} {
		for want, spoil := range map[string]func(*Options){
			"CAP_BPF": func(s *Options) {
				s.Kernel.Capabilities = func() (kernel.Capabilities, error) { return 0, nil }
			},
			"create map ebpf_records": func(s *Options) { s.RingSize = 1000 },
		} {
			t.Run(want, func(t *testing.T) {
				options, states := liveOptions(t)
				kerneltest.LeavesNothing(t)
				options.KeepGoing = keepGoing
				spoil(&options)
				set, err := Open(selectAll(working().define("one")), options)
				require.ErrorContains(t, err, want)
				assert.Nil(t, set)
				assert.Empty(t, states())
			})
		}
	}
}

// A program whose hook lacks a capability is not even loaded.
func TestOpenChecksWhatHooksNeed(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	options.Kernel.Capabilities = func() (kernel.Capabilities, error) {
		return 1<<kernel.CapBPF | 1<<kernel.CapPerfmon, nil
	}
	needy := working()
	needy.specErr = errBroken // if it were loaded
	needy.hooks[0].Variants[0].Needs.Capabilities = []kernel.Capability{kernel.CapNetAdmin}
	_, err := Open(selectAll(needy.define("needy")), options)
	require.ErrorContains(t, err, "program needy: CAP_NET_ADMIN is missing")
	require.NotErrorIs(t, err, errBroken)
	assert.Len(t, states(), 2)
}

// If the needs of a hook's first variant are not met, the next variant is used, and the program is loaded.
func TestOpenTakesVariantWhoseNeedsAreMet(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	options.Kernel.Capabilities = func() (kernel.Capabilities, error) {
		return 1<<kernel.CapBPF | 1<<kernel.CapPerfmon, nil
	}
	p := working()
	needy := p.hooks[0].Variants[0]
	needy.Needs.Capabilities = []kernel.Capability{kernel.CapNetAdmin}
	needy.Attach = func(*ebpf.Program) (io.Closer, error) { panic("attached despite its unmet needs") }
	modest := p.hooks[0].Variants[0]
	modest.Hook = "tp_btf/modest"
	p.hooks[0].Variants = []Variant{needy, modest}
	openTestSet(t, options, p.define("p"))
	assert.Equal(t, []string{"p loading", "p attached tp_btf/modest"}, states())
}

// A program that tracks sockets is known to those loaded after it, if it is attached.
func TestSocketsTracked(t *testing.T) {
	options, _ := liveOptions(t)
	kerneltest.LeavesNothing(t)
	options.KeepGoing = true
	tracker := working()
	tracker.hooks[0].TracksSockets = true
	var seen []bool
	watcher := working().define("watcher")
	watch := watcher.New
	watcher.New = func(c Config, host *Host) Program {
		seen = append(seen, host.SocketsTracked)
		return watch(c, host)
	}
	for _, tracker.loadedErr = range []error{errBroken, nil} {
		set, err := Open(selectAll(watcher, tracker.define("tracker", watcher)), options)
		require.NoError(t, err)
		set.Detach()
		require.NoError(t, set.Close())
	}
	set, err := Open(selectAll(tracker.define("tracker", watcher)), options)
	require.NoError(t, err)
	set.Detach()
	require.NoError(t, set.Close())
	assert.Equal(t, []bool{false, false, true}, seen)
}
