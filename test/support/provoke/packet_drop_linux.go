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
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// No Work: the bench measures drops of several kinds separately.
func init() {
	add(Program{Name: "packet_drop", Event: Drop, Storm: &Storm{Limit: "0.1%", Begin: stormOfDrops}})
}

// Drop overflows the receive buffer of a socket.
func Drop(t *testing.T, events Events) collector.Event {
	t.Helper()
	receiver, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, receiver.Close()) }()
	require.NoError(t, receiver.SetReadBuffer(1)) // the kernel raises it to its minimum
	sender, err := net.DialUDP("udp4", nil, receiver.LocalAddr().(*net.UDPAddr))
	require.NoError(t, err)
	defer func() { require.NoError(t, sender.Close()) }()
	const sent = 20
	for range sent {
		_, err := sender.Write([]byte("datagram"))
		require.NoError(t, err)
	}
	// On loopback a datagram is received or dropped before the sending call returns.
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

// stormOfDrops sends datagrams to a port where nobody listens.
func stormOfDrops(t *testing.T) (round func() error, calm func()) {
	t.Helper()
	a := traffic.Start(t, testnet.NewNamespace(t))
	socket := a.OpenUDP(traffic.Addr(testnet.Loopback4, 0))
	return func() error {
		a.SendMany(socket.FD, traffic.Addr(testnet.Loopback4, 1), 64, 100_000)
		return nil
	}, nil
}
