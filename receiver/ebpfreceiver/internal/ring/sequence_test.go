// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seen is a record from the reader's point of view.
type seen struct {
	cpu            uint16
	sequence, time uint64
}

// batchOf has the records between two calls of TakeLoss, and the expected result of the second one.
type batchOf struct {
	seen []seen
	want Gap
}

func TestSequences(t *testing.T) {
	for _, tt := range []struct {
		name    string
		batches []batchOf
		// highest is the argument of Finish, and want its result; nil if it is not called.
		highest []uint64
		want    Gap
	}{
		{
			name:    "nothing lost",
			batches: []batchOf{{seen: []seen{{0, 1, 10}, {0, 2, 20}}}, {seen: []seen{{0, 3, 30}}}},
			highest: []uint64{3},
		},
		{
			name:    "nothing written",
			batches: []batchOf{{}},
			highest: []uint64{0, 0},
		},
		{
			name: "lost between two",
			batches: []batchOf{
				{seen: []seen{{0, 1, 10}, {0, 4, 40}, {0, 5, 50}}, want: Gap{Count: 2, Start: 10, End: 40}},
				{seen: []seen{{0, 6, 60}}},
			},
		},
		{
			name:    "lost before the first",
			batches: []batchOf{{seen: []seen{{0, 3, 30}}, want: Gap{Count: 2, End: 30}}},
		},
		{
			name: "lost twice, reported once",
			batches: []batchOf{
				{seen: []seen{{0, 1, 10}, {0, 3, 30}, {0, 4, 40}, {0, 7, 70}}, want: Gap{Count: 3, Start: 10, End: 70}},
			},
		},
		{
			name: "a range of its own for each batch",
			batches: []batchOf{
				{seen: []seen{{0, 1, 10}, {0, 3, 30}}, want: Gap{Count: 1, Start: 10, End: 30}},
				{},
				{seen: []seen{{0, 4, 40}, {0, 6, 60}}, want: Gap{Count: 1, Start: 40, End: 60}},
			},
		},
		{
			name: "a number after the next one, from an interrupted program",
			batches: []batchOf{
				{seen: []seen{{0, 1, 10}, {0, 3, 31}, {0, 2, 30}}},
				{seen: []seen{{0, 4, 40}, {0, 6, 60}}, want: Gap{Count: 1, Start: 40, End: 60}},
			},
		},
		{
			name: "the same number twice, from two programs at the same time",
			batches: []batchOf{
				{seen: []seen{{0, 1, 10}, {0, 3, 30}, {0, 3, 29}}},
				{seen: []seen{{0, 4, 40}, {0, 6, 60}}, want: Gap{Count: 1, Start: 40, End: 60}},
			},
		},
		{
			name: "a number that arrives even later cancels a loss",
			batches: []batchOf{
				{seen: []seen{{0, 1, 10}, {0, 3, 31}}, want: Gap{Count: 1, Start: 10, End: 31}},
				{seen: []seen{{0, 2, 30}, {0, 5, 50}}},
				{seen: []seen{{0, 6, 60}, {0, 8, 80}}, want: Gap{Count: 1, Start: 60, End: 80}},
			},
		},
		{
			name: "the time of an interrupting program is before that of the gap",
			batches: []batchOf{
				// The program with number 4 read the time, was then interrupted by those with 2 and 3, and only then took its
				// number.
				{seen: []seen{{0, 1, 10}, {0, 2, 45}, {0, 4, 40}}, want: Gap{Count: 1, Start: 45, End: 45}},
			},
		},
		{
			name: "each CPU has its own numbers",
			batches: []batchOf{
				{seen: []seen{{3, 1, 10}, {0, 1, 11}, {3, 2, 12}, {0, 3, 33}}, want: Gap{Count: 1, Start: 11, End: 33}},
				{seen: []seen{{3, 5, 50}, {0, 6, 45}}, want: Gap{Count: 4, Start: 12, End: 50}},
			},
			highest: []uint64{6, 0, 0, 5},
		},
		{
			name:    "lost after the last",
			batches: []batchOf{{seen: []seen{{0, 1, 10}, {1, 1, 11}}}},
			highest: []uint64{3, 1},
			want:    Gap{Count: 2, Start: 10},
		},
		{
			name:    "lost after the last on two CPUs",
			batches: []batchOf{{seen: []seen{{0, 1, 10}, {1, 1, 11}}}},
			highest: []uint64{2, 4},
			want:    Gap{Count: 4, Start: 10},
		},
		{
			name:    "all lost",
			highest: []uint64{3, 0, 2},
			want:    Gap{Count: 5},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Sequences
			for i, b := range tt.batches {
				for _, r := range b.seen {
					s.Observe(r.cpu, r.sequence, r.time)
				}
				s.Checkpoint()
				assert.Equal(t, b.want, s.TakeLoss(), "batch %d", i)
				assert.Zero(t, s.TakeLoss(), "the loss of batch %d is reported once", i)
			}
			s.Finish(tt.highest)
			assert.Equal(t, tt.want, s.TakeLoss(), "at the end")
		})
	}
}

// A gap is reported only if the next pass does not fill it: an interrupting program may have written the later number
// already, while the interrupted one is about to write the earlier number.
func TestJoin(t *testing.T) {
	first, second := Gap{Count: 2, Start: 10, End: 20}, Gap{Count: 3, Start: 30, End: 40}
	assert.Equal(t, Gap{Count: 5, Start: 10, End: 40}, first.Join(second))
	assert.Equal(t, first, first.Join(Gap{}))
	assert.Equal(t, first, Gap{}.Join(first))
}

func TestSequencesCheckpoint(t *testing.T) {
	var s Sequences
	assertSays := func(missing, lost bool, want Gap) {
		t.Helper()
		assert.Equal(t, missing, s.HasGap())
		assert.Equal(t, lost, s.HasLoss())
		assert.Equal(t, want, s.TakeLoss())
	}
	s.Observe(0, 1, 10)
	s.Observe(0, 3, 31)
	assertSays(true, false, Gap{})
	s.Checkpoint()
	s.Observe(0, 2, 30)
	assertSays(false, false, Gap{})

	s.Observe(0, 6, 60)
	s.Checkpoint()
	s.Observe(0, 9, 90)
	assertSays(true, true, Gap{Count: 2, Start: 31, End: 60})
	assertSays(true, false, Gap{})
	s.Checkpoint()
	assertSays(true, true, Gap{Count: 2, Start: 60, End: 90})
	s.Checkpoint()
	assertSays(false, false, Gap{})

	s.Observe(0, 11, 110)
	s.Finish([]uint64{12})
	assertSays(true, true, Gap{Count: 2, Start: 90})
}

// If a loss is not reported yet when Finish is called, its end is unknown.
func TestSequencesFinishAfterAGap(t *testing.T) {
	var s Sequences
	s.Observe(0, 1, 10)
	s.Observe(0, 3, 30)
	s.Finish([]uint64{5})
	assert.Equal(t, Gap{Count: 3, Start: 10}, s.TakeLoss())
}

// Whatever is lost and however records are reordered, the counts are right, and each range contains its losses.
func TestSequencesAddUp(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var s Sequences
		cpus := 1 + random.IntN(4)
		highest := make([]uint64, cpus)
		var records []seen
		var lost, reported uint64
		for i := range 500 {
			cpu := random.IntN(cpus)
			highest[cpu]++
			if random.IntN(5) == 0 {
				lost++
				continue
			}
			records = append(records, seen{uint16(cpu), highest[cpu], uint64(i + 1)})
		}
		for i := 0; i < len(records); i++ {
			// An interrupting program comes first, followed by the interrupted one.
			if i+1 < len(records) && random.IntN(4) == 0 {
				s.Observe(records[i+1].cpu, records[i+1].sequence, records[i+1].time)
				s.Observe(records[i].cpu, records[i].sequence, records[i].time)
				i++
			} else {
				s.Observe(records[i].cpu, records[i].sequence, records[i].time)
			}
			if random.IntN(50) == 0 {
				reported += take(t, &s)
			}
		}
		s.Finish(highest)
		reported += take(t, &s)
		require.Equal(t, lost, reported, "seed %d", seed)
	}
}

func take(t *testing.T, s *Sequences) uint64 {
	t.Helper()
	s.Checkpoint()
	gap := s.TakeLoss()
	if gap.Count > 0 && gap.End != 0 {
		require.LessOrEqual(t, gap.Start, gap.End)
	}
	return gap.Count
}

func TestSequencesAllocateNothing(t *testing.T) {
	var s Sequences
	s.Observe(7, 1, 1)
	n := uint64(1)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		n += 2
		s.Observe(7, n, n)
		s.Checkpoint()
		s.TakeLoss()
	}))
}
