// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package victorialogs

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Names of counted values. No attribute has such a name.
const (
	resultCount  = prefix + "result.count"
	resultFirst  = prefix + "result.first"
	resultLast   = prefix + "result.last"
	resultSample = prefix + "result.sample"
)

// Count counts events by the values of fields.
func (s *Store) Count(ctx context.Context, q query.Count) ([]query.Group, error) {
	filter, err := condition(&q.Filter)
	in, possible := spanOf(&q.Filter)
	if err != nil || !possible {
		return nil, err
	}
	var by []string
	for _, key := range q.By {
		name := fieldOf(key)
		if key.Kind == query.ByAttribute && !isField(name) {
			return nil, &query.RefusedError{Bad: query.Bad{Parameter: "by", Value: key.Name, Message: "VictoriaLogs has no field of this name"}}
		}
		by = append(by, quote(name))
	}
	if q.Step > 0 {
		by = append(by, fmt.Sprintf("_time:%dns", q.Step.Nanoseconds()))
	}
	stats := fmt.Sprintf(` | stats by (%s) count() %q, min(_time) %q, max(_time) %q, row_max(_time, %q) %q`,
		strings.Join(by, ", "), resultCount, resultFirst, resultLast, fieldSequence, resultSample)
	groups := map[string]*query.Group{}
	var order []*query.Group
	err = s.ask(ctx, filter+stats, in, func(row map[string]string) error {
		part, err := parseRow(row, &q)
		if err != nil || part.Count == 0 {
			return err
		}
		key := fmt.Sprintf("%#v", part.Values)
		if known, ok := groups[key]; ok {
			merge(known, part)
			return nil
		}
		groups[key] = part
		order = append(order, part)
		return nil
	})
	list := make([]query.Group, len(order))
	for i, group := range order {
		list[i] = *group
	}
	return list, err
}

// fieldOf returns the field that a key is counted by. A program is counted by its event names.
func fieldOf(key query.Key) string {
	switch key.Kind {
	case query.ByType:
		return fieldType
	case query.ByProgram:
		return fieldProgram
	case query.BySeverity:
		return fieldSeverity
	case query.ByField:
		return fieldNames[key.Field]
	default:
		return key.Attribute
	}
}

func parseRow(row map[string]string, q *query.Count) (*query.Group, error) {
	g := &query.Group{Values: make([]any, len(q.By))}
	var err error
	if g.Count, err = strconv.ParseInt(row[resultCount], 10, 64); err != nil || g.Count == 0 {
		return g, err
	}
	for i, key := range q.By {
		text, ok := row[fieldOf(key)]
		switch {
		case !ok || text == "" || key.Kind == query.BySeverity && text == "0":
		case key.Kind == query.BySeverity || key.Kind == query.ByField && isNumber(key.Field):
			if g.Values[i], err = strconv.ParseInt(text, 10, 64); err != nil {
				return nil, err
			}
		default:
			g.Values[i] = text
		}
	}
	first, err := time.Parse(time.RFC3339Nano, row[resultFirst])
	if err != nil {
		return nil, err
	}
	last, err := time.Parse(time.RFC3339Nano, row[resultLast])
	if err != nil {
		return nil, err
	}
	g.First, g.Last = first.UnixNano(), last.UnixNano()
	var sample map[string]string
	if err := json.Unmarshal([]byte(row[resultSample]), &sample); err != nil {
		return nil, err
	}
	if g.Sample, err = strconv.ParseInt(sample[fieldSequence], 10, 64); err != nil {
		return nil, err
	}
	if q.Step > 0 {
		begin := g.First - ((g.First%int64(q.Step))+int64(q.Step))%int64(q.Step)
		g.Times = map[int64]int64{begin: g.Count}
	}
	return g, nil
}

func isNumber(field event.Field) bool {
	switch field {
	case event.PID, event.ClientPort, event.ServerPort, event.Cookie:
		return true
	default:
		return false
	}
}

// merge adds a part of time to the group with the same values.
func merge(to, part *query.Group) {
	to.Count += part.Count
	to.First = min(to.First, part.First)
	if part.Last >= to.Last {
		to.Last, to.Sample = part.Last, part.Sample
	}
	for at, count := range part.Times {
		to.Times[at] += count
	}
}
