// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

// taskFunction returns a function for the iterator of tasks that writes nothing.
func taskFunction(name string) *ebpf.ProgramSpec {
	f := emptyFunction(name, "task")
	f.AttachType = ebpf.AttachTraceIter
	return f
}

// iterating is a program with iterators.
type iterating struct {
	*fakeProgram
	iters map[string]*Iter
}

func (p *iterating) Attached(iters map[string]*Iter) { p.iters = iters }

// An iterator can be read again and again until it is detached.
func TestReader(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	p := &iterating{fakeProgram: &fakeProgram{
		spec:  objectOf(taskFunction("all"), emptyFunction("works", quietTracepoint)),
		hooks: []Hook{Tracepoint("works", quietTracepoint), Reader("all", "task")},
	}}
	definition := p.define("p")
	definition.New = func(Config, *Host) Program { return p }
	set, err := Open(selectAll(definition), options)
	require.NoError(t, err)
	assert.Equal(t, []string{"p loading", "p attached tp_btf/" + quietTracepoint, "p attached iter/task"}, states())
	require.Len(t, p.iters, 1)
	iter := p.iters["all"]
	require.NotNil(t, iter)
	for range 2 {
		r, err := iter.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Empty(t, text)
		require.NoError(t, r.Close())
	}
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	require.NoError(t, err)
	set.options.Kernel.Host = hostWithStats(t, "1\n")
	m := newTestMetrics(options.Kernel.Containers)
	require.NoError(t, set.scrapeRuns(m))
	var hooks []any
	for _, point := range points(t, m, "ebpf.program.runs") {
		hooks = append(hooks, point["ebpf.program.hook"])
	}
	assert.ElementsMatch(t, []any{"tp_btf/" + quietTracepoint, "iter/task"}, hooks)
	require.NoError(t, stats.Close())
	set.Detach()
	r, err := iter.Open()
	require.NoError(t, err, "the last scrape still reads")
	require.NoError(t, r.Close())
	require.NoError(t, set.Close())
	_, err = iter.Open()
	require.Error(t, err)
	states()
}

// stopping is a reader that returns EAGAIN several times.
type stopping struct {
	io.Reader
	times int
}

func (s *stopping) Read(b []byte) (int, error) {
	if s.times--; s.times >= 0 {
		return 0, unix.EAGAIN
	}
	return s.Reader.Read(b)
}

func (*stopping) Close() error { return nil }

func TestPatientReader(t *testing.T) {
	text, err := io.ReadAll(patientReader{&stopping{strings.NewReader("all"), 5}})
	require.NoError(t, err)
	assert.Equal(t, "all", string(text))
	broken := errors.New("broken")
	_, err = io.ReadAll(patientReader{&stopping{errReader{broken}, 5}})
	require.ErrorIs(t, err, broken)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// An optional hook that the kernel lacks is left out, and this is logged.
func TestOptionalHook(t *testing.T) {
	options, states := liveOptions(t)
	kerneltest.LeavesNothing(t)
	core, log := observer.New(zap.InfoLevel)
	options.Logger = zap.New(core)
	optional := Tracepoint("unloadable", noTracepoint)
	optional.Optional = true
	p := &fakeProgram{
		spec:  objectOf(emptyFunction("works", quietTracepoint), emptyFunction("unloadable", noTracepoint)),
		hooks: []Hook{optional, Tracepoint("works", quietTracepoint)},
	}
	set, err := Open(selectAll(p.define("p")), options)
	require.NoError(t, err)
	assert.Equal(t, []string{"p loading", "p attached tp_btf/" + quietTracepoint}, states())
	entries := log.FilterMessageSnippet("Optional hook").All()
	require.Len(t, entries, 1)
	assert.Equal(t, "p", entries[0].ContextMap()["program"])
	assert.Equal(t, "tp_btf/"+noTracepoint, entries[0].ContextMap()["hook"])
	set.Detach()
	require.NoError(t, set.Close())
	states()
}

// Of several places, the first that the kernel accepts is used. Each has its own function.
func TestTrampoline(t *testing.T) {
	hook := Trampoline(Place{"a", "fentry/a"}, Place{"b", "fexit/b"})
	require.Len(t, hook.Variants, 2)
	for i, want := range []Place{{"a", "fentry/a"}, {"b", "fexit/b"}} {
		assert.Equal(t, want, Place{hook.Variants[i].Function, hook.Variants[i].Hook})
		assert.NotNil(t, hook.Variants[i].Attach)
	}
}
