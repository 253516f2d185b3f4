// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/tcp"
)

// timeWait is the TCP state TIME_WAIT.
const timeWait = 6

// reset is a reset that program tcp reports.
type reset struct {
	event, role, attribution, state uint8
	owned                           bool
}

// resetClosed makes a connection whose server sends after the client has closed it. The client's TIME_WAIT socket answers
// with a reset. It returns the server's port.
func resetClosed(t *testing.T) uint16 {
	t.Helper()
	listener := listen(t)
	defer listener.Close()
	p := open(t, listener)
	server := p.server
	defer server.Close()
	require.NoError(t, p.client.Close())
	_, err := server.Read(make([]byte, 1))
	require.Error(t, err, "the client must have closed it")
	// The server acknowledges the client's FIN after 40 ms at most. Then the kernel keeps only a TIME_WAIT socket.
	time.Sleep(200 * time.Millisecond)
	_, err = server.Write([]byte("x"))
	require.NoError(t, err)
	// On loopback the reset is immediate.
	programtest.Eventually(t, func() bool {
		_, err := server.Write([]byte("x"))
		return err != nil
	})
	return uint16(listener.Addr().(*net.TCPAddr).Port)
}

// What tcp reports about a closed socket does not depend on whether connection is attached to the same hook, nor on which of
// them is called first.
func TestTCPBesideConnection(t *testing.T) {
	select1 := func(d *program.Definition) program.Selected {
		return program.Selected{Definition: d, Config: d.DefaultConfig()}
	}
	alone, beside := select1(&tcp.Definition), select1(&connection.Definition)
	resets := func(programs ...program.Selected) (all []reset) {
		var port uint16
		records := programtest.RecordsOf(t, tcp.Definition.Name, programs, func() { port = resetClosed(t) })
		for _, raw := range records {
			e, ok := common.View[bpf.TCPEvent](raw)
			require.True(t, ok)
			if e.Flow.LocalPort != port && e.Flow.RemotePort != port || bpf.TCPEventId(e.Record.Event) == bpf.TCPEventIdEVENT_RETRANSMIT {
				continue
			}
			all = append(all, reset{e.Record.Event, e.Role, e.Attribution, e.State, e.Owner.Pid == uint32(os.Getpid())})
		}
		return all
	}
	want := resets(alone)
	for _, one := range want {
		assert.True(t, one.owned, "%+v", one)
	}
	require.NotEmpty(t, want)
	// Resets of TIME_WAIT sockets are visible since Linux 6.10, as is the reason.
	if n, _ := programtest.LiveHost(t).BTF.TracepointArgs("tcp_send_reset"); n > 2 {
		require.True(t, slices.ContainsFunc(want, func(one reset) bool { return one.state == timeWait }), "%+v", want)
	}
	assert.Equal(t, want, resets(beside, alone), "connection is called first")
	assert.Equal(t, want, resets(alone, beside), "tcp is called first")
}
