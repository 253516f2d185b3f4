// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// No Work: the bench measures connections separately, at full speed and at a fixed rate.
func init() {
	add(Program{
		Name:  "connection",
		Event: Connections,
		With: map[string]Event{
			"`protocols: [tcp]`":    provokeDrop,
			"`unix` in `protocols`": provokeUnixConnection,
		},
		Storm: &Storm{Limit: "0.5%", Begin: stormOfConnections},
	})
}

// Connections makes connections and sends datagrams from a container, and attempts a connection that is refused and one that is
// dropped.
func Connections(t *testing.T, events Events) collector.Event {
	t.Helper()
	Container(t, events, testhost.NewDockerContainer(t))
	Datagram(t, events)
	provokeRefusal(t, events)
	return provokeDrop(t, events)
}

func provokeRefusal(t *testing.T, events Events) {
	t.Helper()
	_, err := net.Dial("tcp4", "127.0.0.1:1")
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	refused := events.Await(t, 1, "ebpf.connection.connect", map[string]any{"error.type": "refused", "process.pid": int64(os.Getpid())})[0]
	assert.Equal(t, "socket", refused.Attributes["ebpf.attribution"])
}

// provokeDrop attempts a connection whose SYN a packet filter of this host drops.
func provokeDrop(t *testing.T, events Events) collector.Event {
	t.Helper()
	ns := testnet.NewNamespace(t)
	server := netip.AddrPortFrom(testnet.Loopback4, 9)
	rule := ns.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_TCP, Port: server.Port()})
	a := traffic.Start(t, ns, traffic.Named("provoke-drop", "provoke-drop"))
	c := a.StartConnect(server)
	require.Eventually(t, func() bool { return rule.Packets(t) > 0 }, 5*time.Second, time.Millisecond)
	a.Close(c.FD)
	return events.Await(t, 1, "ebpf.connection.connect", map[string]any{
		"error.type": "aborted", "ebpf.connection.cause": "local_drop", "process.pid": int64(a.PID),
	})[0]
}

func provokeUnixConnection(t *testing.T, events Events) collector.Event {
	t.Helper()
	path := filepath.Join(PublicDir(t), "socket")
	_, err := net.Dial("unix", path)
	require.ErrorIs(t, err, os.ErrNotExist)
	events.Await(t, 1, "ebpf.connection.connect", map[string]any{"network.transport": "unix", "server.address": path, "process.pid": int64(os.Getpid())})
	return provokeDrop(t, events)
}

// Container checks that connections of a container are attributed to it.
func Container(t *testing.T, events Events, container *testhost.Cgroup) {
	t.Helper()
	const count = 2
	_, err := traffic.Connections{Count: count, Pairs: 1}.Run(container)
	require.NoError(t, err)
	found := events.AwaitIn(t, container, count, "ebpf.connection.close", map[string]any{
		"ebpf.connection.role": "client", "process.executable.name": self(t),
	})
	assert.Equal(t, "0::/docker-"+container.ContainerID+".scope", found[0].Resource["process.linux.cgroup"])
}

// Datagram checks that datagrams of this process are attributed to it.
func Datagram(t *testing.T, events Events) {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, socket.Close()) }()
	_, err = socket.WriteToUDP([]byte("discard"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
	require.NoError(t, err)
	events.Await(t, 1, "ebpf.connection.connect", map[string]any{
		"network.transport": "udp", "process.pid": int64(os.Getpid()), "client.port": Port(socket.LocalAddr()),
	})
}

// Port returns the port of an address.
func Port(a net.Addr) int64 {
	_, text, _ := net.SplitHostPort(a.String())
	number, _ := net.LookupPort("tcp", text)
	return int64(number)
}

// self is the base name of this executable, which makes the traffic, cut to the length that the BPF side keeps.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	name := filepath.Base(path)
	return name[:min(len(name), 47)]
}
