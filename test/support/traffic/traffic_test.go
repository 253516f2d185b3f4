// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
)

func TestMain(m *testing.M) {
	Main()
	code := m.Run()
	RemoveExecutables()
	os.Exit(code)
}

func TestAgentIsWhatItWasAskedToBe(t *testing.T) {
	testnet.Require(t)
	ns, cgroup := testnet.NewNamespace(t), testhost.NewContainer(t)
	a := Start(t, ns, Named("a-name-longer-than-comm", "main-thread"), AsUser(4321), In(cgroup))

	assert.Equal(t, "a-name-longer-than-comm", a.Executable)
	assert.Equal(t, "main-thread", a.Thread)
	assert.Equal(t, 4321, a.UID)
	assert.Equal(t, ns.Inode, a.NetNS)
	assert.Equal(t, "0::"+cgroup.Path, a.Cgroup)
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", a.PID))
	require.NoError(t, err)
	assert.Equal(t, "main-thread\n", string(comm), "the name that other processes see")
	a.Exit()
	cgroup.Remove(t)

	first := Start(t, ns, InPIDNamespace())
	comm, err = os.ReadFile(fmt.Sprintf("/proc/%d/comm", first.PID))
	require.NoError(t, err)
	assert.Equal(t, "kt-main\n", string(comm), "its PID in this namespace")
}

func TestOperationFailuresReachTheTest(t *testing.T) {
	testnet.Require(t)
	a := Start(t, testnet.NewNamespace(t))
	_, err := closeSocket.Try(a, closeArgs{FD: 1000})
	assert.ErrorContains(t, err, "bad file descriptor")
	_, err = Operation[Nothing, Nothing]("no.such").Try(a, Nothing{})
	assert.ErrorContains(t, err, "unknown operation")
	a.Kill()
	_, err = closeSocket.Try(a, closeArgs{FD: 1000})
	assert.Error(t, err)
}

func TestConnectionsAreWhatBothEndsSay(t *testing.T) {
	testnet.Require(t)
	left, right := testnet.NewPair(t)
	to := testnet.Right
	for name, address := range map[string]netip.Addr{"IPv4": to.IPv4, "IPv6": to.IPv6, "IPv4-mapped": to.Mapped()} {
		t.Run(name, func(t *testing.T) {
			client, server := Start(t, left), Start(t, right)
			listener := server.Listen(Addr(address, 0))
			require.NotZero(t, listener.Local.Port())
			c := client.OnThread("worker").Connect(listener.Local)
			require.Zero(t, c.Errno)
			s := server.Accept(listener.FD)

			assert.Equal(t, c.Local, s.Remote)
			assert.Equal(t, c.Remote, s.Local)
			assert.Equal(t, address, s.Local.Addr())
			assert.NotZero(t, c.Cookie)
			assert.NotEqual(t, c.Cookie, s.Cookie)
			assert.Positive(t, c.Duration())

			client.Send(c.FD, 100_000)
			assert.Equal(t, 100_000, server.Receive(s.FD, 100_000).Bytes)
			assert.EqualValues(t, 100_000, client.Info(c.FD).BytesSent)
			client.CloseWrite(c.FD)
			server.ReceiveEOF(s.FD)
			server.Close(s.FD)
			client.ReceiveEOF(c.FD)
		})
	}
}

func TestConnectOutcomes(t *testing.T) {
	testnet.Require(t)
	left, right := testnet.NewPair(t)
	to := testnet.Right
	left.Sysctl(t, "net.ipv4.tcp_syn_retries", "1")
	netUnreachable := uint8(0)
	right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: 1002})
	right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: 1003, Reject: &netUnreachable})
	client, server := Start(t, left), Start(t, right)

	assert.Equal(t, unix.ECONNREFUSED, client.Connect(Addr(to.IPv4, 1001)).Errno)
	assert.Equal(t, unix.ETIMEDOUT, client.Connect(Addr(to.IPv4, 1002)).Errno)
	assert.Equal(t, unix.ENETUNREACH, client.Connect(Addr(to.IPv4, 1003)).Errno)
	assert.Equal(t, unix.ENETUNREACH, client.Connect(Addr(netip.MustParseAddr("203.0.113.1"), 1)).Errno)
	assert.Equal(t, unix.EINPROGRESS, client.StartConnect(Addr(to.IPv4, 1002)).Errno)

	listener := server.Listen(Addr(to.IPv4, 0))
	c := client.Connect(listener.Local)
	s := server.Accept(listener.FD)
	server.Reset(s.FD)
	assert.Equal(t, unix.ECONNRESET, client.Receive(c.FD, 1).Errno)
}

func TestFilterCountsAndSkips(t *testing.T) {
	testnet.Require(t)
	left, right := testnet.NewPair(t)
	to := testnet.Right
	a, b := Start(t, left), Start(t, right)
	receiver := b.OpenUDP(Addr(to.IPv4, 0))
	rule := right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_UDP, Port: receiver.Local.Port(), Skip: 3})
	sender := a.OpenUDP(Addr(netip.IPv4Unspecified(), 0))
	sent := a.SendMany(sender.FD, receiver.Local, 100, 10)
	assert.Equal(t, 10, sent.Count)
	require.Eventually(t, func() bool { return rule.Packets(t) == 7 }, 5*time.Second, 5*time.Millisecond, "packets beyond the burst")
	assert.Equal(t, 7*(20+8+100), rule.Bytes(t))
	assert.Equal(t, 3, b.ReadDatagrams(receiver.FD))

	rule.Remove(t)
	a.SendTo(sender.FD, receiver.Local, 100)
	require.Eventually(t, func() bool { return b.ReadDatagrams(receiver.FD) == 1 }, 5*time.Second, 5*time.Millisecond)
}

func TestMPTCPAndHTTP(t *testing.T) {
	testnet.Require(t)
	ns := testnet.NewNamespace(t)
	client, server := Start(t, ns), Start(t, ns)

	listener := server.ListenMPTCP(Addr(testnet.Loopback4, 0))
	c := client.ConnectMPTCP(listener.Local)
	s := server.Accept(listener.FD)
	assert.Equal(t, unix.IPPROTO_MPTCP, c.Protocol)
	assert.Equal(t, unix.IPPROTO_MPTCP, s.Protocol, "both ends speak MPTCP")
	client.Connect(listener.Local)
	assert.Equal(t, unix.IPPROTO_TCP, server.Accept(listener.FD).Protocol, "a plain client falls back")

	web := server.ServeHTTP(Addr(testnet.Loopback4, 0))
	assert.True(t, web.MPTCP, "Go's listeners are MPTCP by default")
	client.GetHTTP(web.Address, 3)
}

func TestWorkersShareSockets(t *testing.T) {
	testnet.Require(t)
	ns := testnet.NewNamespace(t)
	parent, worker, client := Start(t, ns), Start(t, ns), Start(t, ns)
	listener := parent.Listen(Addr(testnet.Loopback6, 0))
	shared := worker.Take(parent, listener.FD)
	c := client.Connect(listener.Local)
	assert.Equal(t, c.Local, worker.Accept(shared).Remote)
}

func TestFloodIsServed(t *testing.T) {
	testnet.Require(t)
	ns := testnet.NewNamespace(t)
	client, server := Start(t, ns), Start(t, ns)
	listener := server.Listen(Addr(testnet.Loopback4, 0))
	server.Serve(listener.FD, 500)
	client.Flood(listener.Local, 500, 10)
	assert.Equal(t, 500, server.Served(listener.FD))
}

func TestUnix(t *testing.T) {
	testnet.Require(t)
	ns := testnet.NewNamespace(t)
	client, server := Start(t, ns), Start(t, ns)
	dir := t.TempDir()
	abstract := "@" + strings.ReplaceAll(dir, "/", "-")
	for name, kind := range map[string]int{"stream": unix.SOCK_STREAM, "dgram": unix.SOCK_DGRAM} {
		path := filepath.Join(dir, name)
		server.ListenUnix(kind, path)
		server.ListenUnix(kind, abstract+name)
		assert.Zero(t, client.ConnectUnix(kind, path).Errno)
		assert.Zero(t, client.ConnectUnix(kind, abstract+name).Errno)
		assert.Equal(t, unix.ENOENT, client.ConnectUnix(kind, path+"-not").Errno)
		assert.Equal(t, unix.ECONNREFUSED, client.ConnectUnix(kind, abstract+"-not").Errno)
	}
	client.DiscardUnix(5)
	client.DiscardNetlink(5)
}

func TestPing(t *testing.T) {
	testnet.Require(t)
	left, right := testnet.NewPair(t)
	to := testnet.Right
	a := Start(t, left)
	for name, c := range map[string]struct {
		protocol, size int
		address        netip.Addr
	}{
		"IPv4": {unix.IPPROTO_ICMP, 20 + 8 + 56, to.IPv4},
		"IPv6": {unix.IPPROTO_ICMPV6, 40 + 8 + 56, to.IPv6},
	} {
		t.Run(name, func(t *testing.T) {
			rule := right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: c.protocol, ICMPType: map[int]uint8{unix.IPPROTO_ICMP: 8, unix.IPPROTO_ICMPV6: 128}[c.protocol]})
			a.Ping(c.address, 56)
			require.Eventually(t, func() bool { return rule.Packets(t) == 1 }, 5*time.Second, 5*time.Millisecond)
			assert.Equal(t, c.size, rule.Bytes(t))
		})
	}
}
