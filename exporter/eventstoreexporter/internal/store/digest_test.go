// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// digested returns a store of several sealed files with digests, opened again.
func digested(t *testing.T, count int) *Store {
	t.Helper()
	settings := Settings{Directory: t.TempDir(), MaxSize: 1 << 30, Logger: zap.NewNop()}
	s, err := Open(settings)
	require.NoError(t, err)
	small(s)
	for i := 0; i < count; i += 200 {
		write(t, s, attributeLogs(i, 200))
		write(t, s, storetest.Logs(i, 200))
	}
	s.settled()
	before := map[string]*digest{}
	for _, one := range s.all() {
		before[one.path] = one.digest
	}
	require.NoError(t, s.Close())
	s = openStore(t, settings)
	for _, one := range s.all() {
		assert.Equal(t, before[one.path], one.digest)
	}
	require.Greater(t, len(s.all()), 3)
	return s
}

// A digest has all values of its file, and few false positives.
func TestDigest(t *testing.T) {
	s := digested(t, 2000)
	var sealed []*slice
	for _, one := range s.all() {
		if one.digest != nil {
			sealed = append(sealed, one)
		}
	}
	require.GreaterOrEqual(t, len(sealed), len(s.all())-1)
	for _, e := range everything(t, s, query.Events{Limit: 10_000}) {
		var filters []query.Filter
		for _, attributes := range []map[string]any{e.Record.Attributes().AsRaw(), e.Origin.Resource.Attributes().AsRaw()} {
			for key := range attributes {
				v, ok := e.Record.Attributes().Get(key)
				if !ok {
					v, _ = e.Origin.Resource.Attributes().Get(key)
				}
				filters = append(filters, query.Filter{Attributes: map[string]string{key: v.AsString()}})
			}
		}
		for field, value := range e.Values() {
			if value != nil {
				filters = append(filters, fields(event.Field(field), value))
			}
		}
		if name := e.Record.EventName(); name != "" {
			filters = append(filters,
				query.Filter{Types: []query.Type{{Text: name}}}, query.Filter{Types: []query.Type{{Text: event.Program(name), Program: true}}})
		}
		if severity := e.Record.SeverityNumber(); severity != 0 {
			filters = append(filters, query.Filter{Severity: severity})
		}
		for _, one := range sealed {
			if one.first <= e.Sequence && e.Sequence < one.first+one.records {
				for i := range filters {
					require.True(t, one.mayHave(&filters[i]), "%+v", filters[i])
				}
			}
		}
	}
	wrong := 0
	const values = 500
	for i := range values {
		address, number := fmt.Sprint("192.0.2.", i), int64(1_000_000+i)
		for _, f := range []query.Filter{
			fields(event.Executable, fmt.Sprint("no-", i)),
			fields(event.PID, number),
			{Address: &address},
			{Port: &number},
			{Attributes: map[string]string{"id": fmt.Sprint("no-", i)}},
			{Attributes: map[string]string{"m": strconv.FormatInt(number, 10)}},
			{Attributes: map[string]string{"d": fmt.Sprint(float64(i) + 0.123)}},
			{Attributes: map[string]string{"process.executable.name": fmt.Sprint("no-", i)}},
			{Attributes: map[string]string{fmt.Sprint("no-", i): "x"}},
		} {
			for _, one := range sealed {
				if one.mayHave(&f) {
					wrong++
				}
			}
		}
		for _, f := range []query.Filter{{Severity: plog.SeverityNumberError}, {Types: []query.Type{{Text: "ebpf.oom.", Prefix: true}}}} {
			for _, one := range sealed {
				assert.False(t, one.mayHave(&f))
			}
		}
	}
	assert.Less(t, float64(wrong)/float64(values*9*len(sealed)), 0.05)
}

// Whatever happens to a digest, the answers are the same.
func TestDamagedDigest(t *testing.T) {
	filter := query.Filter{Attributes: map[string]string{"process.executable.name": "p7"}}
	for name, damage := range map[string]func(t *testing.T, path string){
		"deleted":   func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"truncated": func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 300)) },
		"empty":     func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) },
		"garbage": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("garbage "), 10_000), 0o600))
		},
		"zeros": func(t *testing.T, path string) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			clear(text[200:])
			require.NoError(t, os.WriteFile(path, text, 0o600))
		},
		"of another file": func(t *testing.T, path string) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			other := &digest{first: 7, severities: 1, lines: 1, types: []string{}}
			require.NoError(t, os.WriteFile(path, append(other.head(), text...), 0o600))
		},
	} {
		for _, running := range []bool{true, false} {
			t.Run(fmt.Sprint(name, running), func(t *testing.T) {
				s := digested(t, 1200)
				want := timesOf(everything(t, s, query.Events{Filter: filter, Limit: 1000}))
				require.Len(t, want, 24)
				files := s.all()
				directory := s.settings.Directory
				if !running {
					require.NoError(t, s.Close())
				}
				for _, one := range files[:len(files)-1] {
					damage(t, one.path+digestSuffix)
				}
				if !running {
					s = openStore(t, Settings{Directory: directory})
				}
				assert.Equal(t, want, timesOf(everything(t, s, query.Events{Filter: filter, Limit: 1000})))
				groups, err := s.Count(t.Context(), query.Count{Filter: filter})
				require.NoError(t, err)
				assert.Equal(t, int64(len(want)), groups[0].Count)
				assert.Empty(t, s.Status().Damaged)
			})
		}
	}
}
