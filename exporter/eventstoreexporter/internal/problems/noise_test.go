// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// happened are events of one kind: their name, and the values of their fields by the names of the parameters.
type happened struct {
	event  string
	count  int64
	values map[string]any
}

// host is a store that knows what happened.
type host struct {
	query.Store
	since time.Time
	all   []happened
}

func (h *host) Count(_ context.Context, q query.Count) ([]query.Group, error) {
	var groups []query.Group
	for i, one := range h.all {
		isOfType := len(q.Types) == 0 || slices.ContainsFunc(q.Types, func(t query.Type) bool { return t.Matches(one.event) })
		reason, ofReason := q.Fields[event.Reason]
		if !q.Since.Equal(h.since) || !isOfType || ofReason && reason != one.values["reason"] {
			continue
		}
		g := query.Group{Count: one.count, First: h.since.UnixNano(), Last: h.since.UnixNano() + int64(i), Sample: int64(i)}
		for _, key := range q.By {
			if key.Name == "type" {
				g.Values = append(g.Values, one.event)
			} else {
				g.Values = append(g.Values, one.values[key.Name])
			}
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func titles(t *testing.T, all ...happened) []string {
	t.Helper()
	since := time.Now().Truncate(query.Part)
	list, err := Find(t.Context(), &host{since: since, all: all}, since, since.Add(Window))
	require.NoError(t, err)
	text := []string{}
	for i := range list {
		text = append(text, list[i].Title)
	}
	return text
}

const (
	exit    = "ebpf.process.exit"
	connect = "ebpf.connection.connect"
	drop    = "ebpf.packet.drop"
	signal  = "attr.ebpf.process.exit.signal"
)

func exits(command, by string) happened {
	return happened{exit, 20, map[string]any{"command": command, signal: by}}
}

// Services stop, pipes close and files are not there on every healthy host.
func TestNoise(t *testing.T) {
	assert.Empty(t, titles(t,
		exits("nginx", "SIGTERM"), exits("sleep", "SIGINT"), exits("yes", "SIGPIPE"), exits("bash", "SIGHUP"),
		happened{drop, 9, map[string]any{"reason": "no_socket", "address": "10.0.0.1", "port": int64(23)}}, // a scan
		happened{"ebpf.file.delete", 50, map[string]any{"command": "rm", "error": "enoent"}},
	))
}

// What hurts comes first, and none of it twice.
func TestRanks(t *testing.T) {
	refused := map[string]any{"command": "shop", "address": "10.0.0.5", "port": int64(5432), "error": "refused"}
	assert.Equal(t, []string{
		"java was killed because memory ran out",
		"nginx crashed: SIGSEGV",
		"shop cannot connect to 10.0.0.5:5432: refused",
		"program tcp emits no events: it costs too much",
		"program oom failed: no BTF",
		"sidecar was killed (SIGKILL)",
		"cp cannot open files: eacces",
		"packets come to 10.0.0.1:8080 by tcp, but nobody listens",
		"app.started of billing",
		"warnings and errors without a name",
	}, titles(t,
		happened{"", 1, nil},
		happened{"ebpf.program.state", 1, map[string]any{
			"attr.ebpf.program.name": "oom", "attr.ebpf.program.state": "failed", "attr.ebpf.program.error.message": "no BTF",
		}},
		happened{"ebpf.program.state", 1, map[string]any{
			"attr.ebpf.program.name": "tcp", "attr.ebpf.program.state": "events_off", "attr.ebpf.program.reason": "it costs too much",
		}},
		happened{"app.started", 2, map[string]any{service: "billing"}},
		happened{drop, 10, map[string]any{"reason": "no_socket", "address": "10.0.0.1", "port": int64(8080), "attr.network.transport": "tcp"}},
		happened{drop, 90, map[string]any{"reason": "no_socket", "address": "10.0.0.5", "port": int64(5432), "attr.network.transport": "tcp"}},
		happened{"ebpf.file.open", 30, map[string]any{"command": "cp", "error": "eacces"}},
		happened{connect, 90, refused},
		happened{"ebpf.tcp.reset", 90, map[string]any{"reason": "no_socket", "address": "10.0.0.5", "port": int64(5432)}}, // by the other side
		exits("java", "SIGKILL"), exits("sidecar", "SIGKILL"), exits("nginx", "SIGSEGV"),
		happened{"ebpf.oom.kill", 20, map[string]any{"command": "java"}},
	))
}
