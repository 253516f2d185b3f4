// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Summary is numbers of events.
type Summary struct {
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Step   string    `json:"step,omitempty"`
	Total  int64     `json:"total" doc:"Events of all groups, those that the limit leaves out included."`
	Groups []Group   `json:"groups" doc:"The largest ones first."`
	Left   int       `json:"left_out" doc:"Groups that the limit leaves out."`
	About
}

// Group is a number of events that have the same values.
type Group struct {
	By     map[string]any `json:"by" doc:"The values by the names of their fields; null where events have none."`
	Count  int64          `json:"count"`
	First  time.Time      `json:"first"`
	Last   time.Time      `json:"last"`
	Counts []Point        `json:"counts,omitempty" doc:"The numbers by part of time. Parts without events are left out."`
}

// Point is a number of events in one part of time.
type Point struct {
	Time  time.Time `json:"time" doc:"When the part begins."`
	Count int64     `json:"count"`
}

func (a *api) summary() {
	get(a, "/api/summary", "summary", "Count events", append(query.Parameters("by", "step"), query.Only("limit")...), a.answerSummary)
}

func (a *api) answerSummary(ctx context.Context, r *query.Request) (*Summary, error) {
	s := &Summary{Since: r.Since, Until: r.Until}
	about := a.about()
	if s.Until.IsZero() {
		s.Until = a.Now()
	}
	if s.Since.IsZero() {
		s.Since = s.Until
		if about.Oldest != nil && about.Oldest.Before(s.Until) {
			s.Since = *about.Oldest
		}
	}
	by := r.By
	if len(by) == 0 {
		key, _ := query.ByName("type")
		by = []query.Key{key}
	}
	if r.Step > 0 {
		s.Step = r.Step.String()
		if s.Until.Sub(s.Since)/r.Step > query.MaxSteps {
			return nil, badParameter("step", s.Step, "the window would have more than %d parts", query.MaxSteps)
		}
	}
	groups, err := a.Store.Count(ctx, query.Count{Filter: r.Filter, By: by, Step: r.Step})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(groups, compareGroups)
	for i := range groups {
		s.Total += groups[i].Count
	}
	if len(groups) > r.Limit {
		s.Left = len(groups) - r.Limit
		groups = groups[:r.Limit]
	}
	s.Groups = make([]Group, len(groups))
	for i := range groups {
		s.Groups[i] = makeGroup(&groups[i], by)
	}
	s.Since, s.Until, s.About = s.Since.UTC(), s.Until.UTC(), about
	return s, nil
}

func compareGroups(a, b query.Group) int {
	switch {
	case a.Count != b.Count:
		return int(min(max(b.Count-a.Count, -1), 1))
	default:
		return int(min(max(b.Last-a.Last, -1), 1))
	}
}

func makeGroup(g *query.Group, by []query.Key) Group {
	group := Group{By: map[string]any{}, Count: g.Count, First: timeOf(g.First), Last: timeOf(g.Last)}
	for i, key := range by {
		value := g.Values[i]
		if number, ok := value.(int64); ok && key.Kind == query.BySeverity {
			value = severityName(plog.SeverityNumber(number))
		}
		group.By[key.Name] = value
	}
	for at, count := range g.Times {
		group.Counts = append(group.Counts, Point{timeOf(at), count})
	}
	slices.SortFunc(group.Counts, func(a, b Point) int { return a.Time.Compare(b.Time) })
	return group
}

func badParameter(name, value, message string, args ...any) huma.StatusError {
	return huma.NewError(http.StatusUnprocessableEntity, "validation failed",
		&huma.ErrorDetail{Location: "query." + name, Value: value, Message: sprintf(message, args...)})
}
