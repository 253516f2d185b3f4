// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

func TestNeedsOf(t *testing.T) {
	var p fakeProgram
	socket, cgroup := p.define("socket"), p.define("cgroup")
	connection := p.define("connection", socket, cgroup)
	drop := p.define("packet_drop", cgroup, socket)
	file := p.define("file")

	for name, tt := range map[string]struct {
		running []*Definition
		want    []string
	}{
		"nothing":              {nil, nil},
		"no needs":             {[]*Definition{file}, nil},
		"needs":                {[]*Definition{connection, file}, []string{"socket", "cgroup"}},
		"once each":            {[]*Definition{drop, connection}, []string{"cgroup", "socket"}},
		"running itself":       {[]*Definition{cgroup, connection}, []string{"socket"}},
		"running itself, last": {[]*Definition{connection, socket}, []string{"cgroup"}},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, need := range needsOf(selectAll(tt.running...)) {
				names = append(names, need.Definition.Name)
				assert.NotNil(t, need.Config, need.Definition.Name)
			}
			assert.Equal(t, tt.want, names)
		})
	}
}

func TestEmitsAny(t *testing.T) {
	silent, loud := Selected{Config: &CommonConfig{}}, Selected{Config: &CommonConfig{Events: true}}
	assert.False(t, emitsAny(nil))
	assert.False(t, emitsAny([]Selected{silent, silent}))
	assert.True(t, emitsAny([]Selected{silent, loud}))
}

// headerOf returns a record that consists of its header.
func headerOf(program uint8) []byte {
	r := &common.Record{Program: program}
	return unsafe.Slice((*byte)(unsafe.Pointer(r)), common.RecordSize)
}

// newTestSet returns a set whose programs are not in the kernel.
func newTestSet(programs map[uint8]*fakeProgram) *Set {
	s := &Set{}
	for id, p := range programs {
		l := &loaded{definition: p.define("program " + string('0'+id)), program: p}
		s.byNumber[id].Store(l)
		s.loaded = append(s.loaded, l)
	}
	return s
}

func TestAppendLogDispatches(t *testing.T) {
	one, other := &fakeProgram{}, &fakeProgram{}
	s := newTestSet(map[uint8]*fakeProgram{1: one, 4: other})

	raw := append(headerOf(4), 7, 8, 9)
	require.NoError(t, s.AppendLog(nil, raw))
	require.Len(t, other.appended, 1)
	assert.Same(t, unsafe.SliceData(raw), unsafe.SliceData(other.appended[0]), "in place, unchanged")
	assert.Len(t, other.appended[0], len(raw))
	assert.Empty(t, one.appended)

	for name, tt := range map[string]struct {
		raw  []byte
		want string
	}{
		"nothing":        {nil, "record of 0 bytes is shorter than a header"},
		"short":          {headerOf(4)[:common.RecordSize-1], "record of 23 bytes is shorter than a header"},
		"none":           {headerOf(0), "record of unknown program 0"},
		"not running":    {headerOf(3), "record of unknown program 3"},
		"after the last": {headerOf(uint8(common.MaxPrograms)), "record of unknown program"},
		"far":            {headerOf(math.MaxUint8), "record of unknown program 255"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, s.AppendLog(nil, tt.raw), tt.want)
			assert.Len(t, other.appended, 1)
			assert.Empty(t, one.appended)
		})
	}
}

func TestName(t *testing.T) {
	s := newTestSet(map[uint8]*fakeProgram{4: {}})
	assert.Equal(t, "program 4", s.Name(4))
	assert.Empty(t, s.Name(3))
	assert.Empty(t, s.Name(common.MaxPrograms))
	assert.Empty(t, s.Name(255))
}

func TestRequirements(t *testing.T) {
	always := kernel.Requirements{Capabilities: []kernel.Capability{kernel.CapBPF, kernel.CapPerfmon}}
	assert.Equal(t, always, requirements(nil, nil))

	netAdmin := kernel.Requirements{Capabilities: []kernel.Capability{kernel.CapNetAdmin}, Cgroup2: true}
	tracefs := kernel.Requirements{Tracefs: true}
	hooks := []Hook{
		{Variants: []Variant{{Needs: netAdmin}}},
		{Variants: []Variant{{Needs: tracefs}, {}}},
		{Variants: []Variant{{Needs: kernel.Requirements{Capabilities: []kernel.Capability{kernel.CapNetAdmin, kernel.CapBPF}}}}},
	}
	all := kernel.Requirements{
		Capabilities: []kernel.Capability{kernel.CapBPF, kernel.CapPerfmon, kernel.CapNetAdmin}, Cgroup2: true,
	}
	lacks := func(tracefs bool) func(kernel.Requirements) error {
		return func(r kernel.Requirements) error {
			if r.Cgroup2 || tracefs && r.Tracefs {
				return errBroken
			}
			return nil
		}
	}
	assert.Equal(t, all, requirements(hooks, lacks(true)), "each once, those of the second variant if the first one's are not met")
	assert.Equal(t, all.And(tracefs), requirements(hooks, lacks(false)), "those of the first variant if they are met")
}

// Functions of several hooks that need each other are one variant, with the needs of all of them.
func TestTogether(t *testing.T) {
	hook := func(name string, needs kernel.Requirements) Hook {
		return Hook{Variants: []Variant{{Function: name, Hook: "at/" + name, Needs: needs}}}
	}
	a := hook("a", kernel.Requirements{})
	b, c := hook("b", kernel.Requirements{Tracefs: true}), hook("c", kernel.Requirements{Cgroup2: true})
	together := Together(a, b, c)
	require.Len(t, together.Variants, 1)
	v := together.Variants[0]
	assert.Equal(t, "at/a", v.Hook)
	assert.Equal(t, kernel.Requirements{Tracefs: true, Cgroup2: true}, v.Needs)
	require.Len(t, v.With, 2)
	assert.Equal(t, "c", v.With[1].Function)

	var names []string
	for _, v := range FirstOf(together, b, c).Variants {
		names = append(names, v.Function)
	}
	assert.Equal(t, []string{"a", "b", "c"}, names)
	assert.Empty(t, a.Variants[0].With, "the arguments must not be changed")
	assert.Len(t, b.Variants, 1)
}

func TestCommonConfig(t *testing.T) {
	limit := func(n int) *CommonConfig { return &CommonConfig{EventLimit: &n} }
	require.NoError(t, (&CommonConfig{}).Validate())
	require.NoError(t, limit(1).Validate())
	for _, n := range []int{0, -5} {
		require.ErrorContains(t, limit(n).Validate(), "event_limit: ")
	}
	c := &CommonConfig{}
	assert.Same(t, c, c.Common())
}

func TestEventBits(t *testing.T) {
	assert.Zero(t, EventBits[uint32](nil))
	assert.Equal(t, uint32(1<<0|1<<5|1<<31), EventBits(map[uint32]bool{0: true, 1: false, 5: true, 31: true}))
}

var errBroken = errors.New("broken")
