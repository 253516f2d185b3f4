// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package victorialogs

import (
	"context"
	"fmt"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

const wanted = ` | fields "` + fieldSequence + `", "` + fieldOTLP + `"`

// windows are the windows in which to look for the newest events, before looking at all events.
var windows = []time.Duration{10 * time.Minute, 6 * time.Hour}

// Events returns a page of events.
func (s *Store) Events(ctx context.Context, q query.Events) (query.Page, error) {
	filter, err := condition(&q.Filter)
	in, possible := spanOf(&q.Filter)
	if err != nil || !possible {
		return query.Page{}, err
	}
	newest := time.Now().UnixMicro() + 1
	if q.After != nil {
		newest = q.After.Newest
		filter += " " + after(q.After, q.Ascending)
	}
	filter += fmt.Sprintf(` %q:<=%d`, fieldSequence, newest)
	order := "desc"
	if q.Ascending {
		order = ""
	}
	filter += fmt.Sprintf(" | sort by (_time %s, %q %s) limit %d", order, fieldSequence, order, q.Limit+1) + wanted
	var events []event.Event
	for _, part := range parts(in, &q) {
		events, err = s.events(ctx, filter, part)
		if err != nil || len(events) > q.Limit {
			break
		}
	}
	page := query.Page{Events: events}
	if len(events) > q.Limit {
		page.Events = events[:q.Limit]
		last := &events[q.Limit-1]
		page.Next = &query.Cursor{Time: int64(last.Record.Timestamp()), Sequence: last.Sequence, Newest: newest}
	}
	return page, err
}

// parts returns the times to query one after the other, until a page is full.
func parts(in span, q *query.Events) []span {
	var list []span
	if !q.Ascending {
		end := in.until
		if q.After != nil {
			end = q.After.Time + 1
		}
		if end == 0 {
			end = time.Now().UnixNano()
		}
		for _, window := range windows {
			if since := end - int64(window); since > in.since {
				list = append(list, span{since, in.until})
			}
		}
	}
	return append(list, in)
}

// after returns the condition for the events that follow a cursor.
func after(c *query.Cursor, ascending bool) string {
	sign := "<"
	if ascending {
		sign = ">"
	}
	at := timeText(c.Time)
	return fmt.Sprintf("(_time:%s%s or (_time:=%s %q:%s%d))", sign, at, at, fieldSequence, sign, c.Sequence)
}

func (s *Store) events(ctx context.Context, q string, in span) ([]event.Event, error) {
	var events []event.Event
	err := s.ask(ctx, q, in, func(row map[string]string) error {
		e, err := decode(row)
		events = append(events, e)
		return err
	})
	return events, err
}

// Follow returns events in the order of their arrival, up to those that may not be found yet.
func (s *Store) Follow(ctx context.Context, q query.Follow) ([]event.Event, int64, error) {
	newest := settled()
	if q.After >= newest && q.Limit > 1 {
		return nil, q.After, nil
	}
	filter, err := condition(&q.Filter)
	in, possible := spanOf(&q.Filter)
	if err != nil || !possible {
		return nil, max(newest, q.After), err
	}
	if q.Limit == 1 { // most often the sequence number is known
		events, err := s.events(ctx, fmt.Sprintf(`%s %q:=%d`, filter, fieldSequence, q.After+1)+wanted, in)
		if err != nil || len(events) > 0 {
			return events[:min(1, len(events))], q.After + 1, err
		}
	}
	events, err := s.events(ctx, fmt.Sprintf(`%s %q:range(%d, %d] | sort by (%q) limit %d`,
		filter, fieldSequence, q.After, newest, fieldSequence, q.Limit)+wanted, in)
	if err != nil {
		return nil, 0, err
	}
	if len(events) >= q.Limit {
		return events, events[len(events)-1].Sequence, nil
	}
	return events, max(newest, q.After), nil
}
