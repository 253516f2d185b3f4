// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package usecases

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func TestMain(m *testing.M) {
	traffic.Main()
	code := m.Run()
	traffic.RemoveExecutables()
	os.Exit(code)
}

// scenario provokes what a use case is about.
type scenario struct {
	title string
	// own maps parts of the page that readers adapt, such as a path, to values for this test.
	own map[string]string
	// prepare returns further such parts that are known only at run time.
	prepare func(t *testing.T) map[string]string
	// act makes the traffic, and returns the expected results of the queries.
	act func(t *testing.T) answers
}

// answers has a row that each query must find, and one that queries of events must not find.
type answers struct{ promql, logsql, jq, without row }

func TestUseCases(t *testing.T) {
	testenv.RequireKernel(t)
	if _, err := exec.LookPath("jq"); err != nil {
		testenv.Missing(t, "`make jq` installs it: "+err.Error())
	}
	page := readPage(t)
	for _, s := range scenarios {
		t.Run(strings.Trim(s.title, "?"), func(t *testing.T) {
			i := slices.IndexFunc(page, func(c useCase) bool { return c.title == s.title })
			require.GreaterOrEqual(t, i, 0, "the page has no section with this title")
			c := page[i]
			own := maps.Clone(s.own)
			if s.prepare != nil {
				own = s.prepare(t)
			}
			for old, replacement := range own {
				c.replace(t, old, replacement)
			}
			b := startBackends(t)
			b.startCollector(t, c.config)
			want := s.act(t)
			await(t, "PromQL", c.promql, b.promQL, want.promql, nil)
			await(t, "LogsQL", c.logsql, b.logsQL, want.logsql, want.without)
			await(t, "jq", c.jq, func(command string) ([]row, error) { return b.jq(t, command) }, want.jq, want.without)
		})
	}
}

// replace replaces a part that readers adapt.
func (c *useCase) replace(t *testing.T, old, replacement string) {
	t.Helper()
	found := false
	for _, text := range []*string{&c.config, &c.promql, &c.logsql, &c.jq} {
		found = found || strings.Contains(*text, old)
		*text = strings.ReplaceAll(*text, old, replacement)
	}
	require.True(t, found, "section %q does not contain %q", c.title, old)
}

// await waits until a query finds a row, and checks that it does not find another one.
func await(t *testing.T, language, query string, run func(string) ([]row, error), want, without row) {
	t.Helper()
	var rows []row
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if rows, err = run(query); err != nil || !slices.ContainsFunc(rows, want.matches) {
			continue
		}
		if without != nil && slices.ContainsFunc(rows, without.matches) {
			require.Failf(t, "found too much", "%s\n%s\nnot %v\nanswer:\n%s", language, query, without, show(rows))
		}
		return
	}
	require.Failf(t, "not found", "%s\n%s\nwant %v\nerror: %v\nanswer:\n%s", language, query, want, err, show(rows))
}

func show(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintln(&b, r)
	}
	return b.String()
}

// matches reports whether another row has all values of this one. A value such as "5..7" or "5.." matches a range of numbers.
func (r row) matches(other row) bool {
	for key, value := range r {
		least, most, isRange := strings.Cut(value, "..")
		if !isRange {
			if other[key] != value {
				return false
			}
			continue
		}
		have, err := strconv.ParseFloat(other[key], 64)
		if err != nil || !(have >= number(least)) || most != "" && !(have <= number(most)) {
			return false
		}
	}
	return true
}

func number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err) // a bug in the test
	}
	return n
}
