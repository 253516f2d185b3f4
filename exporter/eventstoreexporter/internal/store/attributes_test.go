// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// attributeLogs makes records with values of all types, most of which occur once.
func attributeLogs(from, count int) plog.Logs {
	logs := plog.NewLogs()
	for i := from; i < from+count; i++ {
		rl := logs.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr("shard", fmt.Sprint("s", i%3))
		lr := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.SetTimestamp(pcommon.Timestamp(storetest.Start.UnixNano() + int64(i)*1_000_000))
		a := lr.Attributes()
		a.PutStr("id", fmt.Sprint("id-", i))
		a.PutInt("n", int64(i)-1500)
		a.PutInt("m", int64(i)*3)
		a.PutDouble("d", float64(i)/7)
		a.PutBool("b", i%1000 == 7)
		a.PutEmptySlice("l").AppendEmpty().SetInt(int64(i))
		a.PutInt("process.pid", int64(i))
		a.PutStr("process.executable.name", fmt.Sprint("p", i%50))
		switch i % 500 { // the same key with other types
		case 1:
			a.PutStr("n", "text")
			a.PutDouble("d", math.Inf(1))
		case 2:
			a.PutEmptyBytes("n").FromRaw([]byte("bytes"))
			a.PutDouble("d", math.Copysign(0, -1))
		case 3:
			a.PutStr("shard", "own")
		}
	}
	return logs
}

// Each value is found by its attribute, in the records that have it and no others, whatever types its key has.
func TestAttributeValues(t *testing.T) {
	directory := t.TempDir()
	s, err := Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
	require.NoError(t, err)
	small(s)
	s.sliceBytes = 200_000
	const count = 4000
	for i := 0; i < count; i += 200 {
		write(t, s, attributeLogs(i, 200))
	}
	write(t, s, attributeLogs(count, 50)) // in the file that is being written
	s.settled()
	require.Greater(t, len(s.all()), 2)
	check := func() {
		t.Helper()
		all := everything(t, s, query.Events{Limit: 10_000, Ascending: true})
		require.Len(t, all, count+50)
		for _, wanted := range [][2]string{
			{"id", "id-0"},
			{"id", "id-3999"},
			{"id", "id-4001"},
			{"id", "id-4050"},
			{"id", ""},
			{"n", "0"},
			{"n", "-1500"},
			{"n", "2549"},
			{"n", "00"},
			{"n", "text"},
			{"n", "Ynl0ZXM="},
			{"n", "1.5"},
			{"m", "9000"},
			{"m", "9001"},
			{"d", "1"},
			{"d", "0.14285714285714285"},
			{"d", "571.4285714285714"},
			{"d", "+Inf"},
			{"d", "-0"},
			{"d", "0"},
			{"d", "NaN"},
			{"b", "true"},
			{"b", "false"},
			{"b", "1"},
			{"l", "[17]"},
			{"l", "17"},
			{"process.pid", "4049"},
			{"process.pid", "4050"},
			{"process.executable.name", "p7"},
			{"process.executable.name", "p50"},
			{"shard", "s1"},
			{"shard", "own"},
			{"shard", "s3"},
			{"nothing", "x"},
		} {
			filter := query.Filter{Attributes: map[string]string{wanted[0]: wanted[1]}}
			var want []int
			for i := range all {
				if matches(&all[i], filter.Attributes) {
					want = append(want, timesOf(all[i : i+1])[0])
				}
			}
			assert.Equal(t, append([]int{}, want...), timesOf(everything(t, s, query.Events{Filter: filter, Limit: 1000, Ascending: true})), wanted)
			groups, err := s.Count(t.Context(), query.Count{Filter: filter})
			require.NoError(t, err)
			if len(want) > 0 && assert.Len(t, groups, 1, wanted) {
				assert.Equal(t, int64(len(want)), groups[0].Count, wanted)
			}
		}
	}
	check()
	require.NoError(t, s.Close())
	s, err = Open(Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()}) // the index in memory is rebuilt from the file
	require.NoError(t, err)
	check()
	require.NoError(t, s.Close())
}

// A query for a value of one block reads few blocks.
func TestRareAttributeReadsFewBlocks(t *testing.T) {
	s := openStore(t, Settings{})
	for i := 0; i < 20_000; i += 2000 {
		write(t, s, attributeLogs(i, 2000))
	}
	one := s.all()[0]
	r, err := one.reader(t.Context())
	require.NoError(t, err)
	defer s.rest(r)
	blocks, err := r.allBlocks()
	require.NoError(t, err)
	require.Greater(t, len(blocks), 75)
	for key, value := range map[string]string{"id": "id-9999", "m": "26664", "d": "1111", "process.pid": "12345"} {
		p, err := r.plan(&query.Filter{Attributes: map[string]string{key: value}})
		require.NoError(t, err)
		assert.LessOrEqual(t, len(p.parts), 8, "%s: most by chance", key)
		assert.NotEmpty(t, p.parts, key)
	}
}

// Counts by attributes equal those of decoded events, whether the values are strings with a number or not.
func TestCountByAttributes(t *testing.T) {
	s := small(openStore(t, Settings{}))
	for i := 0; i < 4000; i += 500 {
		write(t, s, attributeLogs(i, 500))
	}
	write(t, s, storetest.Logs(0, 500))
	s.settled()
	for _, names := range [][]string{
		{"attr.b"},
		{"attr.shard"},
		{"attr.n"},
		{"attr.d", "command"},
		{"attr.l"},
		{"attr.id", "attr.shard"},
		{"attr.nothing"},
		{"attr.process.pid", "attr.b"},
		{"attr.ebpf.drop.location", "reason", "attr.ebpf.tcp.flags"},
		{"attr.container.id", "program"},
	} {
		q := query.Count{}
		for _, name := range names {
			key, ok := query.ByName(name)
			require.True(t, ok)
			q.By = append(q.By, key)
		}
		got, err := s.Count(t.Context(), q)
		require.NoError(t, err)
		want := map[string]int64{}
		for _, e := range everything(t, s, query.Events{Limit: 10_000}) {
			values := make([]any, len(q.By))
			fields := e.Values()
			for i, key := range q.By {
				switch key.Kind {
				case query.ByAttribute:
					v, ok := e.Record.Attributes().Get(key.Attribute)
					if !ok {
						v, ok = e.Origin.Resource.Attributes().Get(key.Attribute)
					}
					if ok {
						values[i] = v.AsString()
					}
				case query.ByProgram:
					values[i] = programValue(e.Record.EventName())
				default:
					values[i] = fields[key.Field]
				}
			}
			want[fmt.Sprintf("%#v", values)]++
		}
		counted := map[string]int64{}
		for _, group := range got {
			counted[fmt.Sprintf("%#v", group.Values)] += group.Count
		}
		assert.Equal(t, want, counted, names)
	}
}
