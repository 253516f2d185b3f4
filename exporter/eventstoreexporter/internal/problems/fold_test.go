// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// answers is a store with given counts, by the name of the events and the values that they are counted by.
type answers struct {
	query.Store
	since time.Time
	now   map[string][]query.Group
}

func (a *answers) Count(_ context.Context, q query.Count) ([]query.Group, error) {
	if len(q.Types) == 0 || !q.Since.Equal(a.since) {
		return nil, nil
	}
	return a.now[q.Types[0].Text], nil
}

// Each fault is one problem: a process that reaches no peer, and a connection that fails together with its resets and retransmits.
func TestOneLinePerTrouble(t *testing.T) {
	since := time.Now().Truncate(query.Part)
	store := &answers{since: since, now: map[string][]query.Group{}}
	add := func(event string, count int64, values ...any) {
		at := since.UnixNano() + int64(len(store.now[event]))
		store.now[event] = append(store.now[event], query.Group{Values: values, Count: count, First: at, Last: at, Sample: at})
	}
	const connect, reset, retransmit = "ebpf.connection.connect", "ebpf.tcp.reset", "ebpf.tcp.retransmit"
	for i := range manyPeers + 2 {
		address := fmt.Sprint("10.0.0.", i)
		add(connect, 2, "crawler", nil, nil, address, int64(443), "timed_out", "no_answer")
		add(retransmit, 6, "crawler", nil, nil, address, int64(443))
	}
	for i := range manyPeers {
		add(connect, 1, "curl", nil, nil, "10.0.0.1", int64(i), "refused", nil)
	}
	add(reset, 50, "curl", nil, nil, "10.0.0.1", int64(3), nil)
	add(reset, 50, "curl", nil, nil, "10.0.0.2", int64(3), "tcp_abort_on_close")
	add(reset, 50, nil, nil, nil, nil, nil, nil)
	list, err := Find(t.Context(), store, since, since.Add(Window))
	require.NoError(t, err)
	require.Len(t, list, manyPeers+3)
	assert.Equal(t, "crawler cannot connect to 7 peers: timed_out (no answer)", list[0].Title)
	assert.Equal(t, int64(2*(manyPeers+2)), list[0].Count)
	assert.Equal(t, manyPeers+2, list[0].Peers)
	assert.Equal(t, since.UnixNano(), list[0].First)
	assert.Equal(t, since.UnixNano()+manyPeers+1, list[0].Last)
	assert.Equal(t, map[string]string{"command": "crawler", "error": "timed_out", "attr.ebpf.connection.cause": "no_answer"}, list[0].Values)
	assert.NotContains(t, list[0].Link, "address")
	titles := map[string]bool{}
	for i := range list {
		titles[list[i].Title] = true
	}
	assert.Contains(t, titles, "curl cannot connect to 10.0.0.1:3: refused", "few peers are problems of their own")
	assert.Contains(t, titles, "connections of curl with 10.0.0.2:3 are reset: tcp_abort_on_close")
	assert.Contains(t, titles, "connections of an unknown process with an unknown peer are reset")
}
