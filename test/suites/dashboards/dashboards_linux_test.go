// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// All checks share one collector and one Prometheus, because the rules need some time.
func TestOnRealData(t *testing.T) {
	testenv.RequireKernel(t)
	measurePrograms(t)
	s := newScene(t)
	leaked := leak(t)
	if !t.Run("healthy", s.healthy) {
		return
	}
	t.Run("trouble", func(t *testing.T) {
		for _, one := range troubles {
			t.Run(one.alert, func(t *testing.T) {
				t.Parallel()
				of, again := one.make(t, s)
				s.awaitAlert(t, one.alert, of, again)
			})
		}
		t.Run("EbpfDescriptorLeak", func(t *testing.T) {
			t.Parallel()
			s.awaitAlert(t, "EbpfDescriptorLeak", leaked, func() {})
		})
		t.Run("losses", func(t *testing.T) {
			t.Parallel()
			loseSegments(t)
		})
	})
	t.Run("EbpfEventsLost", func(t *testing.T) {
		loseEvents(t, s)
		s.awaitAlert(t, "EbpfEventsLost", labels{"ebpf_loss_cause": "ring_full"}, func() {})
	})
	t.Run("dashboards", s.checkPanels)
	t.Run("names", s.checkNames)
	t.Run("runbooks", s.checkRunbooks)
}

// measurePrograms enables the kernel's statistics of BPF programs, which some panels show.
func measurePrograms(t *testing.T) {
	t.Helper()
	const sysctl = "/proc/sys/kernel/bpf_stats_enabled"
	before, err := os.ReadFile(sysctl)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(sysctl, []byte("1"), 0o600))
	t.Cleanup(func() { require.NoError(t, os.WriteFile(sysctl, before, 0o600)) })
}

// awaitAlert waits until an alert with these labels fires, while the trouble goes on.
func (s *scene) awaitAlert(t *testing.T, name string, of labels, again func()) {
	t.Helper()
	begin := time.Now()
	for time.Since(begin) < patience {
		again()
		if len(s.query(t, alert(name, of))) > 0 {
			t.Logf("fired after %s", time.Since(begin).Round(time.Second/10))
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	require.Failf(t, "the alert does not fire", "%s\nthose of that name: %v", alert(name, of), s.query(t, `ALERTS{alertname="`+name+`"}`))
}

// asGrafana replaces the variables of Grafana in a query.
func asGrafana(query string) string {
	return strings.NewReplacer("$host", "localhost", "$__rate_interval", "2m").Replace(query)
}

// Each panel has data, and each label of its legend has a value.
func (s *scene) checkPanels(t *testing.T) {
	for _, p := range readPanels(t) {
		samples := s.query(t, asGrafana(p.query))
		if !assert.NotEmpty(t, samples, "%s: %q has no data: %s", p.dashboard, p.title, asGrafana(p.query)) {
			continue
		}
		assert.True(t, slices.ContainsFunc(samples, func(s sample) bool { return s.Value[1] != "NaN" }),
			"%s: %q has no number", p.dashboard, p.title)
		for _, match := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(p.legend, -1) {
			assert.True(t, slices.ContainsFunc(samples, func(s sample) bool { return s.Metric[match[1]] != "" }),
				"%s: no series of %q has a %s", p.dashboard, p.title, match[1])
		}
		other := s.query(t, strings.ReplaceAll(asGrafana(p.query), "localhost", "elsewhere"))
		assert.Empty(t, other, "%s: %q shows hosts that are not selected", p.dashboard, p.title)
	}
}

// made are the labels that queries add, and the label of overflow series, which are rare.
var made = []string{"whose", "workload", "le", "otel_metric_overflow", "job", "instance"}

// Each metric and label in dashboards and rules exists. Prometheus reports no error for unknown names, such as in a list of labels or
// in `unless`.
func (s *scene) checkNames(t *testing.T) {
	var known struct{ Data []string }
	names := map[string]bool{}
	for _, path := range []string{"/api/v1/label/__name__/values", "/api/v1/labels"} {
		s.get(t, path, &known)
		for _, name := range known.Data {
			names[name] = true
		}
	}
	for _, name := range made {
		names[name] = true
	}
	queries := map[string]string{}
	for _, p := range readPanels(t) {
		queries[p.dashboard+": "+p.title] = p.query
	}
	for _, r := range readRules(t) {
		queries[r.Alert+r.Record] = r.Expr
	}
	checked := 0
	for where, query := range queries {
		query = regexp.MustCompile(`"[^"]*"`).ReplaceAllString(asGrafana(query), `""`)
		for _, name := range regexp.MustCompile(`[a-z][\w:]*_[\w:]*`).FindAllString(query, -1) {
			if strings.Contains(query, name+"(") {
				continue // a function
			}
			checked++
			assert.True(t, names[name], "%s: there is no %s in the data", where, name)
		}
	}
	assert.Greater(t, checked, 200)
}

// Every request to the event store in docs/alerts.md and in the dashboards succeeds, and those for events find the trouble.
func (s *scene) checkRunbooks(t *testing.T) {
	questions := regexp.MustCompile(`curl 'localhost:8080([^']+)'`)
	mentions := regexp.MustCompile(`/api/[a-z]+(?:\?[\w.,=]+(?:\\u0026[\w.,=]+)*\w)?`)
	asked := 0
	for title, section := range runbooks(t) {
		for _, q := range questions.FindAllStringSubmatch(section, -1) {
			asked++
			status, text := fetch(t, s.store+q[1])
			assert.Equal(t, http.StatusOK, status, "%s: %s: %s", title, q[1], text)
			if strings.HasSuffix(q[1], "format=text") {
				assert.NotEmpty(t, text, "%s: nothing is found: %s", title, q[1])
			}
		}
	}
	for _, file := range []string{"network", "host", "receiver"} {
		for _, path := range mentions.FindAllString(read(t, "deploy/grafana/"+file+".json"), -1) {
			asked++
			path = strings.ReplaceAll(path, `\u0026`, "&")
			status, text := fetch(t, s.store+path)
			assert.Equal(t, http.StatusOK, status, "%s: %s: %s", file, path, text)
		}
	}
	assert.Greater(t, asked, 25)
	_, problems := fetch(t, s.store+"/api/problems?limit=1000")
	for _, kind := range []string{"oom_kill", "crash", "connection_failed", "events_lost"} {
		assert.Contains(t, kinds(string(problems)), kind)
	}
}

// kinds returns the kinds of problems in an answer of the event store.
func kinds(problems string) (kinds []string) {
	for _, match := range regexp.MustCompile(`"kind":"(\w+)"`).FindAllStringSubmatch(problems, -1) {
		kinds = append(kinds, match[1])
	}
	return kinds
}
