// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

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
	op := a.operation(http.MethodGet, "/api/problems", "list-problems", "Say what is wrong", query.Only("window", "limit", "form"))
	op.Responses = map[string]*huma.Response{"200": {Description: "Problems", Content: map[string]*huma.MediaType{
		typeJSON: {Schema: a.schemaOf(Problems{})}, "text/plain": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}}
	getStream(a, op, a.answerProblems)
}

func (a *api) answerProblems(ctx huma.Context, r *query.Request) error {
	noting, notes := query.WithNotes(ctx.Context())
	var answer *Problems
	err := a.turn(noting, func() (err error) {
		answer, err = a.findProblems(noting, r)
		return err
	})
	if err != nil {
		return err
	}
	if answer.Partial = notes.All(); len(answer.Partial) > 0 {
		ctx.SetHeader(partialHeader, strings.Join(answer.Partial, "; "))
	}
	ctx.SetHeader("Content-Type", contentTypes[r.Format])
	w := bufio.NewWriter(ctx.BodyWriter())
	if r.Format == "text" {
		answer.write(w)
	} else {
		_ = writeJSON(w, answer) // the writer keeps the error
	}
	_ = w.Flush() // the client has left
	return nil
}

// write writes a line for each problem: when it was last seen, how bad it is, how often it happened, how often in the window before, and
// what it is.
func (p *Problems) write(w *bufio.Writer) {
	for i := range p.Problems {
		one := &p.Problems[i]
		severity := "-"
		if one.Sample != nil {
			severity = strings.ToUpper(one.Sample.Severity)
		}
		line := fmt.Sprintf("%s %-5s %6d× (%d before) %s", one.Last.Format(shortTime), severity, one.Count, one.Before, one.Title)
		_, _ = w.WriteString(strings.Map(printable, line) + "\n")
	}
	since := p.Since.Format(shortTime)
	switch {
	case p.Left > 0:
		_, _ = fmt.Fprintf(w, "and %d more since %s\n", p.Left, since)
	case len(p.Problems) == 0:
		_, _ = fmt.Fprintf(w, "no problems since %s\n", since)
	}
	for _, cause := range slices.Sorted(maps.Keys(p.Lost)) {
		if count := p.Lost[cause]; count > 0 {
			_, _ = fmt.Fprintf(w, "%d events were not stored since the start: %s\n", count, cause)
		}
	}
	for _, note := range p.Partial {
		_, _ = fmt.Fprintf(w, "partial: %s\n", note)
	}
}

func (a *api) findProblems(ctx context.Context, r *query.Request) (*Problems, error) {
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
