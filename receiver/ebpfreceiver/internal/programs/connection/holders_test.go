// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
)

func holder(pid uint32, connection uint64) bpf.ConnectionHolder {
	return bpf.ConnectionHolder{Owner: bpf.ConnectionOwner{Pid: pid}, Connection: connection}
}

func pidOf(o *common.Owner) uint32 {
	if o == nil {
		return 0
	}
	return o.Pid
}

func TestHolders(t *testing.T) {
	const took = 10 * time.Millisecond
	now := time.Unix(1000, 0)
	var (
		found    []bpf.ConnectionHolder
		failure  error
		searched []bpf.ConnectionWanted
		closers  = map[uint64]*common.Owner{}
	)
	h := holders{
		now:    func() time.Time { return now },
		logger: zap.NewNop(),
		closer: func(cookie uint64) *common.Owner { return closers[cookie] },
		search: func(w *bpf.ConnectionWanted) ([]bpf.ConnectionHolder, error) {
			searched, now = append(searched, *w), now.Add(took)
			return found, failure
		},
	}
	event := func(name uint8, cookie uint64, port uint16) *bpf.ConnectionEvent {
		e := &bpf.ConnectionEvent{Cookie: cookie, Netns: 7, Family: 2}
		e.Record.Event, e.Flow.LocalPort = name, port
		return e
	}

	found = []bpf.ConnectionHolder{holder(10, 0), holder(11, 1), holder(12, 0)}
	assert.EqualValues(t, 10, pidOf(h.of(event(eventAccept, 1, 80))), "the first process with the listener")
	assert.Equal(t, []bpf.ConnectionWanted{{Cookie: 1, Port: bpf.ConnectionPort{Netns: 7, Number: 80, Family: 2}}}, searched)
	assert.EqualValues(t, 10, pidOf(h.of(event(eventAccept, 2, 80))), "the same listener")
	assert.Len(t, searched, 1, "the holder is cached")
	assert.Zero(t, pidOf(h.of(event(eventClose, 1, 80))), "searches use at most a tenth of the time")
	assert.Zero(t, pidOf(h.of(event(eventAccept, 3, 81))))
	closers[3] = &common.Owner{Pid: 30}
	assert.EqualValues(t, 30, pidOf(h.of(event(eventAccept, 3, 81))), "a process that has closed it since needs no search")
	assert.Len(t, searched, 1)

	now = now.Add((searchShare - 1) * took)
	assert.EqualValues(t, 11, pidOf(h.of(event(eventClose, 1, 80))), "the process with the connection")
	now = now.Add(searchValid)
	found = nil
	assert.Zero(t, pidOf(h.of(event(eventAccept, 4, 80))), "no process has it any more")
	assert.Len(t, searched, 3)
	now = now.Add((searchShare - 1) * took)
	assert.Zero(t, pidOf(h.of(event(eventAccept, 5, 80))))
	assert.Len(t, searched, 3, "the result that no process has it is cached, too")
	now = now.Add(searchValid)
	failure = errors.New("no iterator")
	assert.Zero(t, pidOf(h.of(event(eventAccept, 6, 80))))

	assert.Nil(t, (&holders{}).of(event(eventAccept, 1, 80)), "no search on this kernel")
}
