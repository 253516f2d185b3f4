// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Programs are the programs of the ebpf receiver, according to its events.
type Programs struct {
	Since    time.Time `json:"since" doc:"When the window of the numbers begins."`
	Programs []Program `json:"programs"`
	About
}

// Program is the last known state of a program.
type Program struct {
	Name      string           `json:"name"`
	State     string           `json:"state,omitempty" doc:"loading, attached, failed or detached; absent if no stored event has it."`
	Hook      string           `json:"hook,omitempty"`
	Error     string           `json:"error,omitempty"`
	StateTime *time.Time       `json:"state_since,omitempty" doc:"Since when it is in this state."`
	Resource  map[string]any   `json:"resource,omitempty" doc:"Where it runs, if the events say so."`
	Events    int64            `json:"events" doc:"Events in the window."`
	Lost      map[string]int64 `json:"lost" doc:"Events that the receiver lost in the window, by cause."`
}

const (
	stateEvent  = "ebpf.program.state"
	lossEvent   = "ebpf.event.lost"
	programName = "ebpf.program.name"
)

func (a *api) programs() {
	get(a, "/api/programs", "list-programs", "List the eBPF programs", query.Only("window"), a.answerPrograms)
}

func (a *api) answerPrograms(ctx context.Context, r *query.Request) (*Programs, error) {
	if r.Since.IsZero() {
		r.Since = a.Now().Add(-15 * time.Minute)
	}
	answer := &Programs{Since: r.Since.UTC(), About: a.about()}
	list, err := a.states(ctx)
	if err != nil {
		return nil, err
	}
	// With a single host, counting by host is not necessary, and would take longer.
	hosts := map[string]bool{}
	for _, p := range list {
		hosts[p.host()] = true
	}
	var byHost []query.Key
	if len(hosts) > 1 {
		for _, name := range hostNames {
			key, _ := query.ByName(query.AttributePrefix + name)
			byHost = append(byHost, key)
		}
	}
	find := func(name string, host []any) *Program {
		wanted := ""
		for _, value := range host {
			wanted = cmp.Or(wanted, text(value))
		}
		for _, p := range list {
			if p.Name == name && (len(hosts) <= 1 || p.host() == wanted) {
				return p
			}
		}
		p := &Program{Name: name, Lost: map[string]int64{}}
		for i, value := range host {
			if value != nil {
				p.Resource = map[string]any{hostNames[i]: value}
				break
			}
		}
		list = append(list, p)
		return p
	}
	byProgram, _ := query.ByName("program")
	groups, err := a.Store.Count(ctx, query.Count{Filter: query.Filter{Since: r.Since}, By: append([]query.Key{byProgram}, byHost...)})
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		if name, ok := group.Values[0].(string); ok {
			find(name, group.Values[1:]).Events += group.Count
		}
	}
	name, _ := query.ByName("attr." + programName)
	cause, _ := query.ByName("attr.ebpf.loss.cause")
	count, _ := query.ByName("attr.ebpf.loss.count")
	losses, err := a.Store.Count(ctx, query.Count{
		Filter: query.Filter{Since: r.Since, Types: []query.Type{{Text: lossEvent}}}, By: append([]query.Key{name, cause, count}, byHost...),
	})
	if err != nil {
		return nil, err
	}
	for _, loss := range losses {
		program := text(loss.Values[0])
		if program == "" {
			program = "unknown" // a gap in the sequence numbers names none
		}
		if lost, err := strconv.ParseInt(text(loss.Values[2]), 10, 64); err == nil {
			find(program, loss.Values[3:]).Lost[text(loss.Values[1])] += lost * loss.Count
		}
	}
	slices.SortStableFunc(list, func(a, b *Program) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range list {
		answer.Programs = append(answer.Programs, *p)
	}
	if answer.Programs == nil {
		answer.Programs = []Program{}
	}
	return answer, nil
}

// hostNames are the resource attributes that identify the host.
var hostNames = []string{"host.name", "k8s.node.name"}

// host returns the program's host, "" if its events do not have one.
func (p *Program) host() string {
	for _, name := range hostNames {
		if host, ok := p.Resource[name].(string); ok && host != "" {
			return host
		}
	}
	return ""
}

// maxStates is how many changes of state are read.
const maxStates = 2000

// startTime is longer than all programs of a receiver take to begin loading.
const startTime = time.Minute

// states returns the newest state of each program of each resource. All programs of a receiver are loaded when it starts: one that was
// not is no longer among its settings.
func (a *api) states(ctx context.Context) ([]*Program, error) {
	page, err := a.Store.Events(ctx, query.Events{Filter: query.Filter{Types: []query.Type{{Text: stateEvent}}}, Limit: maxStates})
	if err != nil {
		return nil, err
	}
	var list []*Program
	seen := map[string]bool{}
	started := map[string]time.Time{} // by resource, at the latest
	for i := range page.Events {
		e := &page.Events[i]
		attribute := func(key string) string {
			if v, ok := e.Record.Attributes().Get(key); ok {
				return v.AsString()
			}
			return ""
		}
		name, resource := attribute(programName), string(event.AppendMap(nil, e.Origin.Resource.Attributes()))
		key := name + resource
		at := e.Record.Timestamp().AsTime()
		if attribute("ebpf.program.state") == "loading" && at.After(started[resource]) {
			started[resource] = at
		}
		if name == "" || seen[key] || at.Before(started[resource].Add(-startTime)) {
			continue
		}
		seen[key] = true
		list = append(list, &Program{
			Name: name, State: attribute("ebpf.program.state"), Hook: attribute("ebpf.program.hook"),
			Error: attribute("ebpf.program.error.message"), StateTime: &at,
			Resource: e.Origin.Resource.Attributes().AsRaw(), Lost: map[string]int64{},
		})
	}
	return list, nil
}

// Health is the answer of /health: whether events are stored, and what is wrong.
type Health struct {
	State    string   `json:"status" enum:"healthy,unhealthy"`
	Problems []string `json:"problems" doc:"What is wrong, one line each."`
	Stored   int64    `json:"stored" doc:"Events that were stored since the start."`
	Bytes    int64    `json:"bytes" doc:"How much of the disk they take."`
	About
}

func (h *Health) status() int {
	if len(h.Problems) > 0 {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

const healthPath = "/health"

func (a *api) health() {
	get(a, healthPath, "health", "Say whether events are stored", nil, a.answerHealth)
}

func (a *api) answerHealth(ctx context.Context, _ *query.Request) (*Health, error) {
	status := a.Store.Status()
	h := &Health{State: "healthy", Problems: []string{}, Stored: status.Stored, Bytes: status.Bytes, About: a.about()}
	if status.Failure != nil {
		h.Problems = append(h.Problems, "events are not stored: "+status.Failure.Error())
	}
	for _, name := range status.Damaged {
		h.Problems = append(h.Problems, "a file is damaged and was set aside: "+name)
	}
	programs, err := a.states(ctx)
	if err != nil {
		h.Problems = append(h.Problems, "the store cannot be read: "+err.Error())
	}
	for _, p := range programs {
		if p.State == "failed" {
			h.Problems = append(h.Problems, "program "+p.Name+" failed: "+p.Error)
		}
	}
	if len(h.Problems) > 0 {
		h.State = "unhealthy"
	}
	return h, nil
}
