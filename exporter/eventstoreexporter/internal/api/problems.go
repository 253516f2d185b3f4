// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/problems"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Problems is the answer of /api/problems.
type Problems struct {
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Problems []Problem `json:"problems" doc:"The worst first."`
	Left     int       `json:"left_out" doc:"Problems that the limit leaves out."`
	About
}

// Problem is something that is wrong.
type Problem struct {
	Kind   string            `json:"kind"`
	Title  string            `json:"title" doc:"What is wrong, in a line."`
	Values map[string]string `json:"values" doc:"Who, with whom, and why."`
	Peers  int               `json:"peers,omitempty" doc:"With how many peers, if they are too many to be listed."`
	Count  int64             `json:"count" doc:"How often it happened in the window."`
	Before int64             `json:"count_before" doc:"How often it happened in the window before."`
	First  time.Time         `json:"first"`
	Last   time.Time         `json:"last"`
	Events string            `json:"events" doc:"Where its events are."`
	Sample *Event            `json:"sample,omitempty" doc:"One of its newest events."`
}

// defaultProblems is how many problems are listed.
const defaultProblems = 50

func (a *api) problems() {
	get(a, "/api/problems", "list-problems", "Say what is wrong", query.Only("window", "limit"), a.answerProblems)
}

func (a *api) answerProblems(ctx context.Context, r *query.Request) (*Problems, error) {
	until := a.Now()
	since := r.Since
	if since.IsZero() {
		since = until.Add(-problems.Window)
	}
	if !since.Before(until) {
		return nil, badParameter("since", since.Format(time.RFC3339Nano), "it must be in the past")
	}
	since = since.Truncate(query.Part)
	found, err := problems.Find(ctx, a.Store, since, until)
	if err != nil {
		return nil, err
	}
	answer := &Problems{Since: since.UTC(), Until: until.UTC(), Problems: []Problem{}, About: a.about()}
	if limit := min(r.Limit, defaultProblems); len(found) > limit {
		answer.Left = len(found) - limit
		found = found[:limit]
	}
	for _, p := range found {
		problem := Problem{
			Kind: p.Kind, Title: p.Title, Values: p.Values, Peers: p.Peers, Count: p.Count, Before: p.Before,
			First: timeOf(p.First), Last: timeOf(p.Last), Events: p.Link,
		}
		sample, _, err := a.Store.Follow(ctx, query.Follow{After: p.Sample - 1, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(sample) > 0 && sample[0].Sequence == p.Sample {
			problem.Sample = makeEvent(&sample[0])
		}
		answer.Problems = append(answer.Problems, problem)
	}
	return answer, nil
}
