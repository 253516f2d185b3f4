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

// timeWait is the state of what the kernel keeps of a closed socket.
const timeWait = 6

// told is what program tcp reports of a reset.
type told struct {
	event, role, attribution, state uint8
	owned                           bool
}

// resetClosed makes a connection whose client has closed it when the server sends: the client's side sends a reset, from what
// the kernel keeps of the closed socket. It returns the server's port.
func resetClosed(t *testing.T) uint16 {
	t.Helper()
	config := new(net.ListenConfig)
	config.SetMultipathTCP(false)
	listener, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	dialer := new(net.Dialer)
	dialer.SetMultipathTCP(false)
	client, err := dialer.DialContext(t.Context(), "tcp4", listener.Addr().String())
	require.NoError(t, err)
	server, err := listener.Accept()
	require.NoError(t, err)
	defer server.Close()
	require.NoError(t, client.Close())
	_, err = server.Read(make([]byte, 1))
	require.Error(t, err, "the client has closed it")
	// The kernel acknowledges the client's FIN after 40 ms at most. Then it keeps a small socket only.
	time.Sleep(200 * time.Millisecond)
	_, err = server.Write([]byte("x"))
	require.NoError(t, err)
	// The reset comes at once on the loopback device.
	programtest.Eventually(t, func() bool {
		_, err := server.Write([]byte("x"))
		return err != nil
	})
	return uint16(listener.Addr().(*net.TCPAddr).Port)
}

// What tcp reports of a socket that has been closed does not depend on whether connection runs at the same hook, nor on which of
// both is called first.
func TestTCPBesideConnection(t *testing.T) {
	select1 := func(d *program.Definition) program.Selected {
		return program.Selected{Definition: d, Config: d.DefaultConfig()}
	}
	alone, beside := select1(&tcp.Definition), select1(&connection.Definition)
	resets := func(programs ...program.Selected) (all []told) {
		var port uint16
		records := programtest.RecordsOf(t, tcp.Definition.Name, programs, func() { port = resetClosed(t) })
		for _, raw := range records {
			e, ok := common.View[bpf.TCPEvent](raw)
			require.True(t, ok)
			if e.Flow.LocalPort != port && e.Flow.RemotePort != port || bpf.TCPEventId(e.Record.Event) == bpf.TCPEventIdEVENT_RETRANSMIT {
				continue
			}
			all = append(all, told{e.Record.Event, e.Role, e.Attribution, e.State, e.Owner.Pid == uint32(os.Getpid())})
		}
		return all
	}
	want := resets(alone)
	for _, one := range want {
		assert.True(t, one.owned, "%+v", one)
	}
	require.NotEmpty(t, want)
	// From Linux 6.10 on, as the reason, the kernel shows resets that small sockets send.
	if n, _ := programtest.LiveHost(t).BTF.TracepointArgs("tcp_send_reset"); n > 2 {
		require.True(t, slices.ContainsFunc(want, func(one told) bool { return one.state == timeWait }), "%+v", want)
	}
	assert.Equal(t, want, resets(beside, alone), "connection is called first")
	assert.Equal(t, want, resets(alone, beside), "tcp is called first")
}
