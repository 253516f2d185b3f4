// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
func TestRecordsOfThisKernel(t *testing.T) {
	ports := map[uint16]string{}
	config := &program.CommonConfig{Events: true}
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: config}, func() {
		for _, network := range []string{"tcp4", "udp4", "udp6"} {
			ports[sendToNobody(t, network)] = network
		}
	})

	named := map[string][]byte{}
	for _, raw := range records {
		e, ok := common.View[bpf.PacketDropEvent](raw)
		require.True(t, ok)
		if name := ports[e.Packet.Flow.RemotePort]; name != "" && named[name] == nil {
			assertLocation(t, e.Location)
			e.Location = 0 // a name on this kernel alone
			named[name] = raw
		}
	}
	programtest.CompareRecords(t, named)
}

// sendToNobody sends to a port without a listener and returns it.
func sendToNobody(t *testing.T, network string) uint16 {
	t.Helper()
	host := "127.0.0.1:0"
	if strings.HasSuffix(network, "6") {
		host = "[::1]:0"
	}
	if strings.HasPrefix(network, "tcp") {
		listener, err := net.Listen(network, host)
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		_, err = net.Dial(network, listener.Addr().String())
		require.Error(t, err)
		return uint16(listener.Addr().(*net.TCPAddr).Port)
	}
	server, err := net.ListenPacket(network, host)
	require.NoError(t, err)
	require.NoError(t, server.Close())
	client, err := net.Dial(network, server.LocalAddr().String())
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Write([]byte("is anybody there?"))
	require.NoError(t, err)
	return uint16(server.LocalAddr().(*net.UDPAddr).Port)
}

// assertLocation checks that the location of a drop for lack of a socket has a name.
func assertLocation(t *testing.T, location uint64) {
	t.Helper()
	host := programtest.Host(t)
	b := programtest.NewBatch(host, true)
	record := drop(inet.ProtocolUDP, "10.0.0.9:1", "10.0.0.5:2", func(e *bpf.PacketDropEvent) { e.Location = location })
	require.NoError(t, newProgram(defaultConfig(), host).AppendLog(b, record))
	lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	name, ok := lr.Attributes().Get("ebpf.drop.location")
	require.True(t, ok)
	assert.Regexp(t, `^[a-z_][\w.]+$`, name.Str())
	assert.Equal(t, "udp 10.0.0.9:1 → 10.0.0.5:2 dropped: no_socket in "+name.Str(), lr.Body().Str())
}
