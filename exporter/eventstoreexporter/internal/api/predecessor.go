// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// The requests of ebpf-server, the predecessor, so that its users' scripts keep working. Parameters that it ignored silently are
// errors here.

// OldCount is the answer to a summary.
type OldCount struct {
	Count    int64  `json:"count"`
	PID      int64  `json:"pid"`
	Command  string `json:"command"`
	Duration int64  `json:"duration_seconds"`
	Time     string `json:"query_time"`
	Message  string `json:"message"`
}

// OldList is events by the process id of their owner.
type OldList struct {
	PIDs   int                    `json:"total_pids"`
	Total  int                    `json:"total_events"`
	Events map[string][]*OldEvent `json:"events_by_pid"`
	Time   string                 `json:"query_time"`
}

// OldEvent is an event with the predecessor's names in addition to ours.
type OldEvent struct {
	Event
	DestinationIP   string `json:"destination_ip,omitempty"`
	DestinationPort *int64 `json:"destination_port,omitempty"`
	Destination     string `json:"destination,omitempty"`
	Protocol        string `json:"protocol,omitempty"`
	DropReason      string `json:"drop_reason,omitempty"`
	Length          *int64 `json:"skb_length,omitempty"`
	WallTime        string `json:"wall_time"`
}

// oldRequest is the body of a POST.
type oldRequest struct {
	PID      int64  `json:"pid,omitempty" minimum:"0" maximum:"4294967295"`
	Command  string `json:"command,omitempty"`
	Duration int64  `json:"duration,omitempty" minimum:"0" maximum:"31536000" doc:"Seconds; without it, 60."`
	Seconds  int64  `json:"duration_seconds,omitempty" minimum:"0" maximum:"31536000"`
}

type oldPost struct {
	input
	Body oldRequest `required:"false"`
}

func (a *api) predecessor() {
	for _, form := range []struct{ program, list, path, post string }{
		{"connection", "/api/list-connections", "/api/connections/summary", "/api/connection-summary"},
		{"packet_drop", "/api/list-packet-drops", "/api/packet-drops/summary", "/api/packet-drop-summary"},
	} {
		for _, path := range []string{form.path, form.post} {
			op := a.oldOperation(http.MethodGet, path, "Count the events of program "+form.program, query.Old)
			huma.Register(a.huma, op, func(ctx context.Context, in *input) (*output[*OldCount], error) {
				r := oldRequest{Command: text(in.request.Fields[event.Executable]), Seconds: in.request.Seconds}
				r.PID, _ = in.request.Fields[event.PID].(int64)
				return a.oldCount(ctx, form.program, r)
			})
		}
		huma.Register(a.huma, a.oldOperation(http.MethodPost, form.post, "Count the events of program "+form.program, nil),
			func(ctx context.Context, in *oldPost) (*output[*OldCount], error) {
				return a.oldCount(ctx, form.program, in.Body)
			})
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			op := a.oldOperation(method, form.list, "List the events of program "+form.program+" in the last hour by process id", nil)
			huma.Register(a.huma, op, func(ctx context.Context, _ *input) (*output[*OldList], error) {
				return a.oldList(ctx, form.program)
			})
		}
	}
}

func (a *api) oldOperation(method, path, summary string, parameters []query.Parameter) huma.Operation {
	op := a.operation(method, path, "", summary, parameters)
	op.OperationID = strings.ToLower(method) + strings.ReplaceAll(path, "/", "-")
	op.Tags = []string{"ebpf-server"}
	return op
}

func (a *api) oldCount(ctx context.Context, program string, r oldRequest) (*output[*OldCount], error) {
	if r.Duration != 0 && r.Seconds != 0 && r.Duration != r.Seconds {
		return nil, badParameter("duration", strconv.FormatInt(r.Duration, 10), "duration and duration_seconds are two names of the same")
	}
	if r.Duration == 0 {
		r.Duration = r.Seconds
	}
	if r.Duration == 0 {
		r.Duration = 60
	}
	now := a.Now()
	f := query.Filter{
		Types: []query.Type{{Text: program, Program: true}}, Fields: map[event.Field]any{},
		Since: now.Add(-time.Duration(r.Duration) * time.Second),
	}
	if r.PID != 0 {
		f.Fields[event.PID] = r.PID
	}
	if r.Command != "" {
		f.Fields[event.Executable] = r.Command
	}
	ctx, notes := query.WithNotes(ctx)
	var groups []query.Group
	err := a.turn(ctx, func() (err error) {
		groups, err = a.Store.Count(ctx, query.Count{Filter: f})
		return err
	})
	if err != nil {
		return nil, a.failure(err)
	}
	answer := &OldCount{PID: r.PID, Command: r.Command, Duration: r.Duration, Time: now.UTC().Format(time.RFC3339)}
	for _, group := range groups {
		answer.Count += group.Count
	}
	answer.Message = sprintf("%d events of program %s in the last %d seconds", answer.Count, program, r.Duration)
	return &output[*OldCount]{Status: http.StatusOK, Partial: strings.Join(notes.All(), "; "), Body: answer}, nil
}

func (a *api) oldList(ctx context.Context, program string) (*output[*OldList], error) {
	now := a.Now()
	ctx, notes := query.WithNotes(ctx)
	var page query.Page
	err := a.turn(ctx, func() (err error) {
		page, err = a.Store.Events(ctx, query.Events{
			Filter: query.Filter{Types: []query.Type{{Text: program, Program: true}}, Since: now.Add(-time.Hour)}, Limit: query.DefaultLimit,
		})
		return err
	})
	if err != nil {
		return nil, a.failure(err)
	}
	answer := &OldList{Total: len(page.Events), Events: map[string][]*OldEvent{}, Time: now.UTC().Format(time.RFC3339)}
	for i := range page.Events {
		e := makeOld(&page.Events[i])
		pid := "0" // as it was, for events without an owner
		if e.PID != nil {
			pid = strconv.FormatInt(*e.PID, 10)
		}
		answer.Events[pid] = append(answer.Events[pid], e)
	}
	answer.PIDs = len(answer.Events)
	return &output[*OldList]{Status: http.StatusOK, Partial: strings.Join(notes.All(), "; "), Body: answer}, nil
}

func makeOld(e *event.Event) *OldEvent {
	old := &OldEvent{Event: *makeEvent(e)}
	old.DestinationIP, old.DestinationPort, old.Destination = old.Address, old.Port, old.Address
	if old.Address != "" && old.Port != nil {
		old.Destination = joinHostPort(old.Address, *old.Port)
	}
	if v, ok := e.Record.Attributes().Get("network.transport"); ok {
		old.Protocol = upper(v.AsString())
	}
	if v, ok := e.Record.Attributes().Get("ebpf.packet.size"); ok {
		old.Length = integer(v.AsRaw())
	}
	old.DropReason = old.Reason
	old.WallTime = old.Time.UTC().Format(time.RFC3339)
	return old
}

func joinHostPort(address string, port int64) string {
	return net.JoinHostPort(address, strconv.FormatInt(port, 10))
}

func upper(s string) string { return strings.ToUpper(s) }
