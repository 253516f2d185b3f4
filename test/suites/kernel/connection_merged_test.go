// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// A short connection is one event on each side, with the attributes of both events.
func TestConnectionMerged(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {merge_within: 10s}}")
	var (
		mu   sync.Mutex
		pids []int
	)
	t.Run("of", func(t *testing.T) {
		for _, f := range families {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				s := newClientServer(t)
				mu.Lock()
				pids = append(pids, s.client.PID, s.server.PID)
				mu.Unlock()
				p := s.establish(t, f)
				exchange(t, s.client, p.client.FD, s.server, p.server.FD, 1000)
				exchange(t, s.server, p.server.FD, s.client, p.client.FD, 5000)
				first, second := closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
				if !kernelSays().numbers {
					r.Exactly(t, 4, testreceiver.OfProcess(s.client.PID, s.server.PID)) // a close does not name the connection that it was merged with
					return
				}

				events := r.Exactly(t, 2, testreceiver.OfProcess(s.client.PID, s.server.PID))
				totals := func(sent, received int64) attributes {
					return attributes{
						"ebpf.connection.bytes_sent": sent, "ebpf.connection.bytes_received": received, retransmitsKey: int64(0),
					}
				}
				clientAddress, serverAddress := p.client.Local, p.client.Remote
				client := only(t, events, closeEvent, s.client)
				check(t, client, closeEvent, plog.SeverityNumberInfo,
					connection("tcp", "client", clientAddress, serverAddress, p.client.Cookie, s.left).
						with(owner(s.client.OnThread("dialer"), "socket")).with(totals(1000, 5000)),
					handshakeKey, durationKey, rttKey, rttMinKey)
				between(t, client, handshakeKey, 0, p.client.Duration())
				between(t, client, durationKey, first.Start.Sub(p.client.End), second.End.Sub(p.client.Start))
				within(t, client, first.Start, second.End)

				server := only(t, events, closeEvent, s.server)
				check(t, server, closeEvent, plog.SeverityNumberInfo,
					connection("tcp", "server", clientAddress, serverAddress, p.server.Cookie, s.right).
						with(owner(s.server.OnThread("listener"), "socket")).with(totals(5000, 1000)),
					durationKey, rttKey, rttMinKey)
				between(t, server, durationKey, first.Start.Sub(p.server.End), second.End.Sub(p.client.Start))
				within(t, server, first.Start, second.End)
			})
		}
	})
	// No merged event is held back any more.
	require.NoError(t, r.Shutdown())
	if kernelSays().numbers {
		assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(pids...), testreceiver.Named(connectEvent, acceptEvent)))
	}
}

// A longer connection is reported while it is open.
func TestConnectionNotMerged(t *testing.T) {
	testnet.Require(t)
	const merging = 300 * time.Millisecond
	r := testreceiver.Start(t, "programs: {connection: {merge_within: 300ms}}")
	s := newClientServer(t)
	p := s.establish(t, families[0])
	of := testreceiver.OfProcess(s.client.PID, s.server.PID)
	events := r.Exactly(t, 2, of)
	connect, accept := only(t, events, connectEvent, s.client), only(t, events, acceptEvent, s.server)
	within(t, connect, p.client.Start, p.client.End)
	within(t, accept, p.client.Start, p.server.End)
	if kernelSays().numbers {
		for _, e := range []testreceiver.Event{connect, accept} {
			assert.GreaterOrEqual(t, e.Observed.Sub(e.Time), merging/2, "held back")
		}
	}
	closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
	events = r.Exactly(t, 4, of)
	assert.NotContains(t, only(t, events, closeEvent, s.client).Attributes, handshakeKey)
	only(t, events, closeEvent, s.server)
}

// Events that are held back at the stop are delivered.
func TestConnectionMergedAtTheStop(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {merge_within: 10s}}")
	s := newClientServer(t)
	p := s.establish(t, families[0])
	require.NoError(t, r.Shutdown())
	events := r.Events.Matching(testreceiver.OfProcess(s.client.PID, s.server.PID))
	assert.Len(t, events, 2)
	within(t, only(t, events, connectEvent, s.client), p.client.Start, p.client.End)
	within(t, only(t, events, acceptEvent, s.server), p.client.Start, p.server.End)
}
