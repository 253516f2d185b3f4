// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
func TestRecordsOfThisKernel(t *testing.T) {
	var open, refused, datagrams uint16
	const path = "test.sock"
	config := &Config{CommonConfig: program.CommonConfig{Events: true}, Protocols: []Protocol{TCP, UDP, Unix}}
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: config}, func() {
		open = exchange(t, "tcp4", "127.0.0.1:0")
		refused = closedPort(t)
		datagrams = exchange(t, "udp4", "127.0.0.1:0")
		t.Run("unix", func(t *testing.T) {
			t.Chdir(t.TempDir())
			exchange(t, "unix", path)
		})
	})

	named := map[string][]byte{}
	for _, raw := range records {
		if name := nameOf(raw, open, refused, datagrams, path); name != "" && named[name] == nil {
			named[name] = raw
		}
	}
	programtest.CompareRecords(t, named)
}

// nameOf names a record of the test's own traffic. For other records it returns "".
func nameOf(raw []byte, open, refused, datagrams uint16, path string) string {
	if raw[1] == eventUnix {
		e, _ := common.View[bpf.ConnectionUnixEvent](raw)
		if string(common.Text(e.Path[:])) == path {
			return "connect_unix"
		}
		return ""
	}
	e, _ := common.View[bpf.ConnectionEvent](raw)
	for name, is := range map[string]bool{
		"connect":         e.Flow.RemotePort == open && bpf.ConnectionEventId(e.Record.Event) == connect,
		"accept":          e.Flow.LocalPort == open && e.Record.Event == eventAccept,
		"close_client":    e.Flow.RemotePort == open && e.Record.Event == eventClose,
		"close_server":    e.Flow.LocalPort == open && e.Record.Event == eventClose,
		"connect_refused": e.Flow.RemotePort == refused && e.Error != 0,
		"connect_udp":     e.Flow.RemotePort == datagrams && e.Transport == udp,
	} {
		if is {
			return name
		}
	}
	return ""
}

// exchange sends a few bytes to its own server and reads them back. It returns the server's port.
func exchange(t *testing.T, network, address string) uint16 {
	t.Helper()
	if network == "udp4" {
		conn, err := net.ListenPacket(network, address)
		require.NoError(t, err)
		defer conn.Close()
		client, err := net.Dial(network, conn.LocalAddr().String())
		require.NoError(t, err)
		defer client.Close()
		_, err = client.Write([]byte("hello"))
		require.NoError(t, err)
		return uint16(conn.LocalAddr().(*net.UDPAddr).Port)
	}
	// Without multipath TCP, whose subflows are connections of their own.
	config := new(net.ListenConfig)
	config.SetMultipathTCP(false)
	listener, err := config.Listen(t.Context(), network, address)
	require.NoError(t, err)
	defer listener.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if assert.NoError(t, err) {
			_, _ = conn.Read(make([]byte, 16))
			conn.Close()
		}
	}()
	client, err := net.Dial(network, listener.Addr().String())
	require.NoError(t, err)
	_, err = client.Write([]byte("hello"))
	require.NoError(t, err)
	<-done
	_, _ = client.Read(make([]byte, 1)) // the server closes first
	require.NoError(t, client.Close())
	if address, ok := listener.Addr().(*net.TCPAddr); ok {
		return uint16(address.Port)
	}
	return 0
}

// closedPort connects to a port without a listener and returns it.
func closedPort(t *testing.T) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, err = net.Dial("tcp4", listener.Addr().String())
	require.Error(t, err)
	return uint16(listener.Addr().(*net.TCPAddr).Port)
}
