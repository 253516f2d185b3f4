// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// The bench measures this program by itself, with drops of several kinds.
func init() { add(Program{Name: "packet_drop", Event: Drop}) }

// Drop sends more to a socket than it has room for.
func Drop(t *testing.T, events Events) collector.Event {
	t.Helper()
	receiver, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, receiver.Close()) }()
	require.NoError(t, receiver.SetReadBuffer(1)) // the kernel makes it its least
	sender, err := net.DialUDP("udp4", nil, receiver.LocalAddr().(*net.UDPAddr))
	require.NoError(t, err)
	defer func() { require.NoError(t, sender.Close()) }()
	const sent = 20
	for range sent {
		_, err := sender.Write([]byte("datagram"))
		require.NoError(t, err)
	}
	// Over loopback a datagram is there, or dropped, before the call that sends it returns.
	received := 0
	require.NoError(t, receiver.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	for buffer := make([]byte, 16); err == nil; received++ {
		_, err = receiver.Read(buffer)
	}
	received--
	require.Less(t, received, sent, "nothing was dropped")
	return events.Await(t, sent-received, "ebpf.packet.drop", map[string]any{
		"source.port": int64(sender.LocalAddr().(*net.UDPAddr).Port), "process.pid": int64(os.Getpid()), "ebpf.attribution": "receiving_socket",
	})[0]
}
