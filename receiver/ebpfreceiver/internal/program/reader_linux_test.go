// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"
)

// taskFunction returns a function for the iterator of tasks, that writes nothing.
func taskFunction(name string) *ebpf.ProgramSpec {
	f := emptyFunction(name, "task")
	f.AttachType = ebpf.AttachTraceIter
	return f
}

// What is read or called by the program itself stays as long as hooks do, and only what has a place is told of.
func TestReaderAndCallable(t *testing.T) {
	settings, states := liveSettings(t)
	leavesNothing(t)
	var (
		open OpenReader
		call *ebpf.Program
	)
	answer := &ebpf.ProgramSpec{
		Name: "answer", Type: ebpf.RawTracepoint, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 42), asm.Return()},
	}
	p := &fakeProgram{
		spec: objectOf(taskFunction("all"), answer),
		hooks: []Hook{
			Callable("answer", func(p *ebpf.Program) { call = p }),
			Reader("all", "task", func(o OpenReader) { open = o }),
		},
	}
	set, err := Open(selectAll(p.define("p")), settings)
	require.NoError(t, err)
	assert.Equal(t, []string{"p loading", "p attached iter/task"}, states())
	for range 2 {
		r, err := open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Empty(t, text)
		require.NoError(t, r.Close())
		got, err := call.Run(&ebpf.RunOptions{})
		require.NoError(t, err)
		assert.EqualValues(t, 42, got)
	}
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	require.NoError(t, err)
	m := newTestMetrics(settings.Host.Containers)
	require.NoError(t, set.scrapeRuns(m))
	for _, point := range points(t, m, "ebpf.program.runs") {
		assert.Equal(t, "iter/task", point["ebpf.program.hook"])
	}
	require.NoError(t, stats.Close())
	set.Detach()
	_, err = open()
	require.Error(t, err)
	require.NoError(t, set.Close())
	states()
}

// stopping is a reader that the kernel wants to be asked again, several times.
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

// A hook that the program can do without is left out where it can't be had, which is logged.
func TestOptionalHook(t *testing.T) {
	settings, states := liveSettings(t)
	leavesNothing(t)
	core, log := observer.New(zap.InfoLevel)
	settings.Host.Logger = zap.New(core)
	optional := Tracepoint("unloadable", noTracepoint)
	optional.Optional = true
	p := &fakeProgram{
		spec:  objectOf(emptyFunction("works", quietTracepoint), emptyFunction("unloadable", noTracepoint)),
		hooks: []Hook{optional, Tracepoint("works", quietTracepoint)},
	}
	set, err := Open(selectAll(p.define("p")), settings)
	require.NoError(t, err)
	assert.Equal(t, []string{"p loading", "p attached tp_btf/" + quietTracepoint}, states())
	entries := log.FilterMessageSnippet("goes without a hook").All()
	require.Len(t, entries, 1)
	assert.Equal(t, "p", entries[0].ContextMap()["program"])
	assert.Equal(t, "tp_btf/"+noTracepoint, entries[0].ContextMap()["hook"])
	set.Detach()
	require.NoError(t, set.Close())
	states()
}

// Of several places it is the first that the kernel accepts, and each has its own function.
func TestTrampoline(t *testing.T) {
	hook := Trampoline(Place{"a", "fentry/a"}, Place{"b", "fexit/b"})
	require.Len(t, hook.Variants, 2)
	for i, want := range []Place{{"a", "fentry/a"}, {"b", "fexit/b"}} {
		assert.Equal(t, want, Place{hook.Variants[i].Function, hook.Variants[i].Hook})
		assert.NotNil(t, hook.Variants[i].Attach)
	}
}
