// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"io"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

func refuse(*ebpf.Program) (io.Closer, error) { return nil, errBroken }

func TestVariants(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	attach := Tracepoint("", quietTracepoint).Variants[0].Attach
	unloadable := Variant{Function: "unloadable", Hook: "tp_btf/none", Attach: attach}
	missing := Variant{Function: "missing", Hook: "fentry/none", Attach: attach}
	unattachable := Variant{Function: "good", Hook: "tp_btf/unattachable", Attach: refuse}
	good := Variant{Function: "good", Hook: "tp_btf/good", Attach: attach}
	better := Variant{Function: "better", Hook: "tp_btf/better", Attach: attach}
	once := Variant{Function: "good", Hook: "iter/once", Attach: func(*ebpf.Program) (io.Closer, error) { return nil, nil }}

	for name, tt := range map[string]struct {
		variants []Variant
		want     []string // part of the error, or the hook
		fails    bool
	}{
		"the first":            {variants: []Variant{good, better}, want: []string{"p attached tp_btf/good"}},
		"the first that loads": {variants: []Variant{unloadable, missing, better, good}, want: []string{"p attached tp_btf/better"}},
		"the first that attaches": {
			variants: []Variant{unattachable, unloadable, good}, want: []string{"p attached tp_btf/good"},
		},
		"one that runs once": {variants: []Variant{unattachable, once, good}},
		"none": {
			variants: []Variant{unloadable, missing, unattachable},
			want: []string{
				"load tp_btf/none: ", "load fentry/none: the object has no function missing", "attach to tp_btf/unattachable: broken",
			},
			fails: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &fakeProgram{
				spec: objectOf(
					emptyFunction("good", quietTracepoint), emptyFunction("better", quietTracepoint), emptyFunction("unloadable", noTracepoint)),
				hooks: []Hook{{Variants: tt.variants}},
			}
			set, err := Open(selectAll(p.define("p")), options)
			if tt.fails {
				for _, part := range tt.want {
					require.ErrorContains(t, err, part)
				}
				assert.Len(t, states(), 2)
				assert.Empty(t, kerneltest.Objects(t))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, append([]string{"p loading"}, tt.want...), states())
			assert.Equal(t, len(tt.want), set.Attached())
			assert.Equal(t, len(tt.want), kerneltest.Kinds(kerneltest.Objects(t))["prog_id"], "programs of other variants must be freed")
			set.Detach()
			require.NoError(t, set.Close())
			states()
		})
	}
}

// A fallback is attached after its function. If it fails, the variant is unavailable.
func TestFallback(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	exact := func(fallback string) Variant {
		return ExactTracepoint("good", fallback, quietTracepoint).Variants[0]
	}
	plain := Tracepoint("good", quietTracepoint).Variants[0]
	plain.Hook = "tp_btf/plain"
	unattachable := exact("better")
	calls := 0
	unattachable.Attach = func(p *ebpf.Program) (io.Closer, error) {
		if calls++; calls == 2 {
			return nil, errBroken
		}
		return plain.Attach(p)
	}
	for name, tt := range map[string]struct {
		variants []Variant
		want     string
		programs int
	}{
		"taken":        {[]Variant{exact("better"), plain}, "p attached tp_btf/oom_score_adj_update", 2},
		"not loaded":   {[]Variant{exact("unloadable"), plain}, "p attached tp_btf/plain", 1},
		"missing":      {[]Variant{exact("missing"), plain}, "p attached tp_btf/plain", 1},
		"not attached": {[]Variant{unattachable, plain}, "p attached tp_btf/plain", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := &fakeProgram{
				spec: objectOf(
					emptyFunction("good", quietTracepoint), emptyFunction("better", quietTracepoint), emptyFunction("unloadable", noTracepoint)),
				hooks: []Hook{{Variants: tt.variants}},
			}
			set, err := Open(selectAll(p.define("p")), options)
			require.NoError(t, err)
			assert.Equal(t, []string{"p loading", tt.want}, states())
			assert.Equal(t, 1, set.Attached())
			running := kerneltest.Kinds(kerneltest.Objects(t))
			assert.Equal(t, tt.programs, running["prog_id"])
			assert.Equal(t, tt.programs, running["link_id"])
			set.Detach()
			require.NoError(t, set.Close())
			assert.Empty(t, kerneltest.Objects(t))
			states()
		})
	}
}

// Functions of one variant are all attached. If one fails, the variant is unavailable.
func TestFunctionsTogether(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	good, better := Tracepoint("good", quietTracepoint), Tracepoint("better", quietTracepoint)
	unloadable := Tracepoint("unloadable", noTracepoint)
	plain := Tracepoint("good", quietTracepoint)
	plain.Variants[0].Hook = "tp_btf/plain"
	for name, tt := range map[string]struct {
		with     Hook
		want     string
		programs int
	}{
		"all": {better, "p attached tp_btf/oom_score_adj_update", 2},
		"one": {unloadable, "p attached tp_btf/plain", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := &fakeProgram{
				spec: objectOf(
					emptyFunction("good", quietTracepoint), emptyFunction("better", quietTracepoint), emptyFunction("unloadable", noTracepoint)),
				hooks: []Hook{FirstOf(Together(good, tt.with), plain)},
			}
			set, err := Open(selectAll(p.define("p")), options)
			require.NoError(t, err)
			assert.Equal(t, []string{"p loading", tt.want}, states())
			assert.Equal(t, 1, set.Attached())
			running := kerneltest.Kinds(kerneltest.Objects(t))
			assert.Equal(t, tt.programs, running["prog_id"])
			assert.Equal(t, tt.programs, running["link_id"])
			set.Detach()
			require.NoError(t, set.Close())
			assert.Empty(t, kerneltest.Objects(t))
			states()
		})
	}
}

// The runs of a hook are the sum over all its functions.
func TestRunsOfFunctionsTogether(t *testing.T) {
	options, _ := liveOptions(t)
	p := &fakeProgram{
		spec:  objectOf(emptyFunction("good", quietTracepoint), emptyFunction("better", quietTracepoint)),
		hooks: []Hook{Together(Tracepoint("good", quietTracepoint), Tracepoint("better", quietTracepoint))},
	}
	set := openTestSet(t, options, p.define("p"))
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	require.NoError(t, err)
	defer func() { require.NoError(t, stats.Close()) }()
	hit(t)
	all, err := set.loaded[0].hooks[0].runs()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, all.RunCount, uint64(2))
}

// The runs of a hook are those of its function. The run time includes the fallback.
func TestRunsOfFallback(t *testing.T) {
	options, _ := liveOptions(t)
	p := &fakeProgram{
		spec:  objectOf(emptyFunction("good", quietTracepoint), emptyFunction("better", quietTracepoint)),
		hooks: []Hook{ExactTracepoint("good", "better", quietTracepoint)},
	}
	set := openTestSet(t, options, p.define("p"))
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	require.NoError(t, err)
	defer func() { require.NoError(t, stats.Close()) }()
	hit(t)
	require.Len(t, set.loaded[0].hooks, 1)
	hook := set.loaded[0].hooks[0]
	require.Len(t, hook.functions, 2)
	first, err := hook.functions[0].program.Stats()
	require.NoError(t, err)
	second, err := hook.functions[1].program.Stats()
	require.NoError(t, err)
	require.Positive(t, second.RunCount, "the fallback runs after the function")
	all, err := hook.runs()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, all.RunCount, first.RunCount)
	assert.Less(t, all.RunCount, first.RunCount+second.RunCount)
	assert.GreaterOrEqual(t, all.Runtime, first.Runtime+second.Runtime)
}
