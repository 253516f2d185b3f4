// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Problem is a group of events that have a cause in common.
type Problem struct {
	Kind string
	// Title describes it in one line.
	Title string
	// Values are the common fields of its events, by the names of the parameters.
	Values map[string]string
	// Peers is the number of peers of a problem that was folded, otherwise 0.
	Peers int
	// Count is how often it happened in the window, and Before in the one before that.
	Count, Before int64
	// First and Last are in the window, in nanoseconds.
	First, Last int64
	// Sample is the sequence number of the newest event.
	Sample int64
	// Link is the address of its events.
	Link string

	score float64
}

// Find returns the problems between two times, the worst first. The first time is a multiple of query.Part.
func Find(ctx context.Context, store query.Store, since, until time.Time) ([]Problem, error) {
	f := finder{store: store, since: since, until: until}
	var all []*Problem
	for i := range kinds {
		found, err := f.kind(ctx, &kinds[i])
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	list := f.finish(withoutEchoes(all))
	others, err := f.others(ctx)
	if err != nil {
		return nil, err
	}
	list = append(list, others...)
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.Last, a.Last), cmp.Compare(a.Title, b.Title))
	})
	return list, nil
}

type finder struct {
	store        query.Store
	since, until time.Time
}

// count counts events in the window and in the one before it.
func (f *finder) count(ctx context.Context, filter query.Filter, by []query.Key) (now, before []query.Group, err error) {
	filter.Since, filter.Until = f.since, f.until
	if now, err = f.store.Count(ctx, query.Count{Filter: filter, By: by, Recent: true}); err != nil || len(now) == 0 {
		return nil, nil, err
	}
	filter.Since, filter.Until = f.since.Add(-f.until.Sub(f.since)).Truncate(query.Part), f.since
	before, err = f.store.Count(ctx, query.Count{Filter: filter, By: by, Recent: true})
	return now, before, err
}

// kind returns the problems of a kind.
func (f *finder) kind(ctx context.Context, k *kind) ([]*Problem, error) {
	names := k.by
	if k.sum != "" {
		names = append(slices.Clone(names), k.sum)
	}
	by := make([]query.Key, len(names))
	for i, name := range names {
		by[i], _ = query.ByName(name)
	}
	now, before, err := f.count(ctx, k.filter(), by)
	if err != nil {
		return nil, err
	}
	byKey := map[string]*Problem{}
	var order []*Problem
	for i := range now {
		v := valuesOf(&now[i], k.by)
		key := fmt.Sprint(v)
		p, ok := byKey[key]
		if !ok {
			p = &Problem{Kind: k.name, Values: v, First: now[i].First}
			byKey[key] = p
			order = append(order, p)
		}
		p.Count += k.number(&now[i])
		p.First = min(p.First, now[i].First)
		if now[i].Last >= p.Last {
			p.Last, p.Sample = now[i].Last, now[i].Sample
		}
	}
	for i := range before {
		if p, ok := byKey[fmt.Sprint(valuesOf(&before[i], k.by))]; ok {
			p.Before += k.number(&before[i])
		}
	}
	return slices.DeleteFunc(order, func(p *Problem) bool {
		return p.Count < f.least(k) || k.isNoise(p.Values)
	}), nil
}

func (k *kind) filter() query.Filter {
	filter := query.Filter{Types: []query.Type{k.events()}, Severity: k.severity}
	if k.reason != "" {
		filter.Fields = map[event.Field]any{event.Reason: k.reason}
	}
	return filter
}

func (k *kind) events() query.Type {
	text, isPrefix := strings.CutSuffix(k.event, "*")
	return query.Type{Text: text, Prefix: isPrefix}
}

// finish folds the problems, and adds their titles, scores and links.
func (f *finder) finish(all []*Problem) []Problem {
	var list []Problem
	for i := range kinds {
		k := &kinds[i]
		of := slices.DeleteFunc(slices.Clone(all), func(p *Problem) bool { return p.Kind != k.name })
		for _, p := range fold(k, of) {
			v := values(p.Values)
			if p.Peers > 0 {
				v = maps.Clone(v)
				v["address"] = strconv.Itoa(p.Peers) + " " + or(k.peers, "peers")
			}
			p.Title = v.expand(k.title)
			p.score = score(k.weight, p.Count, p.Before)
			p.Link = f.link(k, p.Values)
			list = append(list, *p)
		}
	}
	return list
}

// least is how many events make a problem of this kind in this window.
func (f *finder) least(k *kind) int64 {
	if length := f.until.Sub(f.since); length < Window {
		return max(int64(math.Ceil(float64(k.least)*float64(length)/float64(Window))), 1)
	}
	return k.least
}

// number is how many events a group stands for.
func (k *kind) number(g *query.Group) int64 {
	if k.sum == "" {
		return g.Count
	}
	each, err := strconv.ParseInt(asText(g.Values[len(k.by)]), 10, 64)
	if err != nil {
		return g.Count
	}
	return each * g.Count
}

func valuesOf(g *query.Group, names []string) map[string]string {
	v := map[string]string{}
	for i, name := range names {
		if g.Values[i] != nil {
			v[name] = asText(g.Values[i])
		}
	}
	return v
}

func asText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	default:
		return ""
	}
}

// score ranks problems by weight, number and growth.
func score(weight float64, count, before int64) float64 {
	growth := 1.0
	if count > 2*before {
		growth = 1.5
	}
	return weight * (1 + math.Log10(float64(max(count, 1)))) * growth
}

// link returns the address of the events of a problem; k is nil for one of kind other.
func (f *finder) link(k *kind, v map[string]string) string {
	parameters := url.Values{"since": {f.since.UTC().Format(time.RFC3339Nano)}, "until": {f.until.UTC().Format(time.RFC3339Nano)}}
	if k == nil || k.severity != 0 {
		parameters.Set("severity", "warn")
	}
	if k != nil {
		parameters.Set("type", k.event)
		if k.reason != "" {
			parameters.Set("reason", k.reason)
		}
	}
	for name, value := range v {
		if value != "" { // which is no filter
			parameters.Set(name, value)
		}
	}
	return "/api/events?" + parameters.Encode()
}

// service is the attribute that says who other collectors' events are about.
const service = "attr.service.name"

// others returns the problems of kind other. Logs of other receivers often have no event name.
func (f *finder) others(ctx context.Context) ([]Problem, error) {
	names := []string{"type", "command", service}
	by := make([]query.Key, len(names))
	for i, name := range names {
		by[i], _ = query.ByName(name)
	}
	now, before, err := f.count(ctx, query.Filter{Severity: warn}, by)
	if err != nil {
		return nil, err
	}
	var list []Problem
	for i := range now {
		v := valuesOf(&now[i], names)
		if slices.ContainsFunc(kinds, func(k kind) bool { return k.events().Matches(v["type"]) }) {
			continue
		}
		title := or(v["type"], "warnings and errors without a name")
		if who := or(v["command"], v[service]); who != "" {
			title += " of " + who
		}
		p := Problem{
			Kind: "other", Title: title, Values: v,
			Count: now[i].Count, First: now[i].First, Last: now[i].Last, Sample: now[i].Sample,
		}
		for j := range before {
			if maps.Equal(valuesOf(&before[j], names), v) {
				p.Before = before[j].Count
			}
		}
		p.score, p.Link = score(3, p.Count, p.Before), f.link(nil, v)
		list = append(list, p)
	}
	return list, nil
}
