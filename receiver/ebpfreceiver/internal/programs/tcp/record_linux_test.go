// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
func TestRecordsOfThisKernel(t *testing.T) {
	var port uint16
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: defaultConfig()}, func() {
		port = resetByServer(t)
	})
	named := map[string][]byte{}
	for _, raw := range records {
		e, ok := common.View[bpf.TCPEvent](raw)
		require.True(t, ok)
		switch {
		case e.Flow.LocalPort == port && e.Record.Event == resetSent:
			named["reset_sent"] = raw
		case e.Flow.RemotePort == port && e.Record.Event == resetReceived:
			named["reset_received"] = raw
		}
	}
	programtest.CompareRecords(t, named)
}

// resetByServer makes a connection that the server resets, and returns the server's port.
func resetByServer(t *testing.T) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	client, err := net.Dial("tcp4", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	server, err := listener.Accept()
	require.NoError(t, err)
	require.NoError(t, server.(*net.TCPConn).SetLinger(0))
	require.NoError(t, server.Close())
	_, err = client.Read(make([]byte, 1))
	require.ErrorContains(t, err, "reset")
	return uint16(listener.Addr().(*net.TCPAddr).Port)
}
