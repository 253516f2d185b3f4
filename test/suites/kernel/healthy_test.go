// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
)

// newHealthy prepares the traffic: listeners, groups, filters and bridges.
func newHealthy(t *testing.T) *healthy {
	t.Helper()
	h := &healthy{left: testnet.NewNamespace(t), right: testnet.NewNamespace(t)}
	testnet.Join(t, h.left, h.right)
	for _, ns := range []*testnet.Namespace{h.left, h.right} {
		ns.Sysctl(t, "net.ipv4.tcp_fastopen", "1027")
		ns.Sysctl(t, "net.ipv4.ping_group_range", "0 100000")
	}
	for _, address := range []netip.Addr{testnet.Right.IPv4, testnet.Right.IPv6} {
		h.overTCP(t, address)
		h.overUDP(t, address)
		h.pings(t, address)
	}
	h.groups(t)
	h.bridges(t)
	return h
}

// round repeats an operation, with pauses. The first error fails the test.
func (h *healthy) round(t *testing.T, name string, pause time.Duration, f func() error) {
	h.workers = append(h.workers, func(stop <-chan struct{}) {
		for {
			select {
			case <-stop:
				return
			case <-time.After(pause):
			}
			if err := f(); !assert.NoError(t, err, name) {
				return
			}
			h.rounds.Add(1)
		}
	})
}

// listen opens a listener in the right namespace and serves its connections.
func (h *healthy) listen(t *testing.T, address netip.Addr, c net.ListenConfig, serve func(*net.TCPConn)) string {
	t.Helper()
	var l net.Listener
	require.NoError(t, h.right.Run(func() (err error) {
		l, err = c.Listen(context.Background(), "tcp", netip.AddrPortFrom(address, 0).String())
		return err
	}))
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().String()
}

func (h *healthy) dial(d net.Dialer, address string) (conn *net.TCPConn, err error) {
	err = h.left.Run(func() error {
		c, err := d.Dial("tcp", address)
		if err == nil {
			conn = c.(*net.TCPConn)
		}
		return err
	})
	return conn, err
}

// setting is a socket option that is set before a socket listens or connects.
func setting(option, value int) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) (err error) {
		return errors.Join(raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, value)
		}), err)
	}
}

var errShort = errors.New("the answer is incomplete")

// ask sends a request and reads the answer to its end, or up to a length.
func ask(conn *net.TCPConn, request, answer int, halfClose bool) error {
	if _, err := conn.Write(make([]byte, request)); err != nil {
		return err
	}
	if halfClose {
		if err := conn.CloseWrite(); err != nil {
			return err
		}
	}
	n, err := io.CopyN(io.Discard, conn, int64(answer))
	if err == nil && n != int64(answer) {
		err = errShort
	}
	return err
}

// answers reads requests of 100 bytes and answers each.
func answers(size int) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		for request := make([]byte, 100); ; {
			if _, err := io.ReadFull(conn, request); err != nil {
				return
			}
			if _, err := conn.Write(make([]byte, size)); err != nil {
				return
			}
		}
	}
}

func (h *healthy) overTCP(t *testing.T, address netip.Addr) {
	t.Helper()
	var plain net.Dialer
	exchange := func(d net.Dialer, to string, requests, size int, halfClose bool) func() error {
		return func() error {
			conn, err := h.dial(d, to)
			if err != nil {
				return err
			}
			defer conn.Close()
			for i := range requests {
				if err := ask(conn, 100, size, halfClose && i == requests-1); err != nil {
					return err
				}
			}
			// The other side closes, too, before or after this one.
			if halfClose {
				_, err = io.Copy(io.Discard, conn)
			}
			return err
		}
	}
	short := h.listen(t, address, net.ListenConfig{}, answers(500))
	h.round(t, "short connections", 2*time.Millisecond, exchange(plain, short, 1, 500, false))
	h.round(t, "closed by the other side", 2*time.Millisecond, exchange(plain, short, 1, 500, true))
	h.round(t, "requests in a row", 5*time.Millisecond, exchange(plain, short, 50, 500, true))
	large := h.listen(t, address, net.ListenConfig{}, answers(4<<20))
	h.round(t, "an answer after a half-close", 20*time.Millisecond, exchange(plain, large, 1, 4<<20, true))
	h.round(t, "masses", 20*time.Millisecond, func() error {
		conn, err := h.dial(plain, h.sinkAt(address))
		if err != nil {
			return err
		}
		defer conn.Close()
		return ask(conn, 4<<20, 1, true)
	})
	h.sink(t, address)
	deferring := h.listen(t, address, net.ListenConfig{Control: setting(unix.TCP_DEFER_ACCEPT, 5)}, answers(500))
	h.round(t, "a deferring listener", 10*time.Millisecond, exchange(plain, deferring, 1, 500, true))
	if kernelSays().receiver { // older kernels may reset such a connection at its start
		fast := h.listen(t, address, net.ListenConfig{Control: setting(unix.TCP_FASTOPEN, 64)}, answers(500))
		h.round(t, "fast open", 10*time.Millisecond, exchange(net.Dialer{Control: setting(unix.TCP_FASTOPEN_CONNECT, 1)}, fast, 1, 500, true))
	}
	if testnet.HasMPTCP() {
		var listener net.ListenConfig
		listener.SetMultipathTCP(true)
		var dialer net.Dialer
		dialer.SetMultipathTCP(true)
		many := h.listen(t, address, listener, answers(50_000))
		h.round(t, "multipath", 10*time.Millisecond, exchange(dialer, many, 5, 50_000, true))
	}
	idle := net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}
	h.round(t, "idle connections", 0, func() error {
		conn, err := h.dial(net.Dialer{KeepAliveConfig: idle}, short)
		if err != nil {
			return err
		}
		defer conn.Close()
		time.Sleep(3 * time.Second)
		return ask(conn, 100, 500, false)
	})
}

const sinkPort = 7700

func (*healthy) sinkAt(address netip.Addr) string {
	return netip.AddrPortFrom(address, sinkPort).String()
}

// sink receives all data, and sends one byte at the end.
func (h *healthy) sink(t *testing.T, address netip.Addr) {
	t.Helper()
	var l net.Listener
	require.NoError(t, h.right.Run(func() (err error) {
		l, err = net.Listen("tcp", h.sinkAt(address))
		return err
	}))
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(io.Discard, conn)
				_, _ = conn.Write([]byte{1})
			}()
		}
	}()
}

// packets opens a socket for datagrams in a namespace.
func packets(t *testing.T, ns *testnet.Namespace, address netip.Addr, port uint16) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	require.NoError(t, ns.Run(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, port)))
		return err
	}))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (h *healthy) overUDP(t *testing.T, address netip.Addr) {
	t.Helper()
	from := testnet.Left.IPv4
	if address.Is6() {
		from = testnet.Left.IPv6
	}
	server, client := packets(t, h.right, address, 0), packets(t, h.left, from, 0)
	go func() {
		for buffer := make([]byte, 4000); ; {
			n, peer, err := server.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = server.WriteToUDPAddrPort(buffer[:n], peer)
		}
	}()
	to := server.LocalAddr().(*net.UDPAddr).AddrPort()
	for _, size := range []int{60, 3000} { // an unfragmented and a fragmented datagram
		h.round(t, "question and answer", 2*time.Millisecond, func() error {
			own := client
			if size > 1500 {
				own = packets(t, h.left, from, 0)
				defer own.Close()
			}
			if _, err := own.WriteToUDPAddrPort(make([]byte, size), to); err != nil {
				return err
			}
			if err := own.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				return err
			}
			_, _, err := own.ReadFromUDPAddrPort(make([]byte, size))
			return err
		})
	}
	// These drops are intended: by a filter, and at a full socket.
	full := packets(t, h.right, address, fullPort)
	require.NoError(t, full.SetReadBuffer(1))
	lossy := packets(t, h.left, from, 0)
	h.round(t, "losses", 20*time.Millisecond, func() error {
		for _, port := range []uint16{filteredPort, fullPort} {
			if _, err := lossy.WriteToUDPAddrPort(make([]byte, 500), netip.AddrPortFrom(address, port)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *healthy) pings(t *testing.T, address netip.Addr) {
	t.Helper()
	family, protocol, request := unix.AF_INET, unix.IPPROTO_ICMP, byte(8)
	// Sendto writes into its address, so that two goroutines must not share one.
	to := func() unix.Sockaddr { return &unix.SockaddrInet4{Addr: as4(address)} }
	if address.Is6() {
		family, protocol, request = unix.AF_INET6, unix.IPPROTO_ICMPV6, 128
		to = func() unix.Sockaddr { return &unix.SockaddrInet6{Addr: address.As16()} }
	}
	for _, kind := range []int{unix.SOCK_RAW, unix.SOCK_DGRAM} {
		var fd int
		require.NoError(t, h.left.Run(func() (err error) {
			fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
			return err
		}))
		t.Cleanup(func() { _ = unix.Close(fd) })
		require.NoError(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}))
		h.round(t, "ping", 20*time.Millisecond, func() error {
			packet := append([]byte{request, 0, 0, 0, 0, 77, 0, 1}, make([]byte, 56)...)
			sum := onesComplement(packet)
			packet[2], packet[3] = byte(sum>>8), byte(sum)
			if err := unix.Sendto(fd, packet, 0, to()); err != nil {
				return err
			}
			answer := make([]byte, 500)
			_, err := unix.Read(fd, answer)
			for err == nil {
				// A raw socket also gets answers to other processes. If they are not read, its buffer overflows.
				if _, _, rest := unix.Recvfrom(fd, answer, unix.MSG_DONTWAIT); rest != nil {
					break
				}
			}
			return err
		})
	}
}

// groups sends datagrams to multicast groups with and without members, reports of members, and broadcasts.
func (h *healthy) groups(t *testing.T) {
	t.Helper()
	for _, group := range []netip.Addr{group4, group6} {
		joined := joinGroup(t, h.right, testnet.Right.Device, group)
		require.NoError(t, joined.SetReadBuffer(1<<20))
		go func() { _, _ = io.Copy(io.Discard, joined) }()
		nobody := group.Next()
		for _, to := range []netip.Addr{group, nobody, broadcast} {
			send := groupSender(t, h.left, testnet.Left.Device, to)
			h.round(t, "groups", 10*time.Millisecond, func() error {
				send(1)
				return nil
			})
		}
		h.round(t, "joining", 500*time.Millisecond, func() error {
			return h.left.Run(func() error {
				i, err := net.InterfaceByName(testnet.Left.Device)
				if err != nil {
					return err
				}
				conn, err := net.ListenMulticastUDP("udp", i, &net.UDPAddr{IP: nobody.Next().AsSlice(), Port: groupPort})
				if err != nil {
					return err
				}
				return conn.Close()
			})
		})
	}
}

// bridges makes two bridges that exchange spanning tree messages, and repeatedly attaches a host to one of them.
func (h *healthy) bridges(t *testing.T) {
	t.Helper()
	one, other, pod := testnet.NewNamespace(t), testnet.NewNamespace(t), testnet.NewNamespace(t)
	h.bridged = []*testnet.Namespace{one, other, pod}
	testnet.Join(t, one, other)
	for ns, device := range map[*testnet.Namespace]string{one: testnet.Left.Device, other: testnet.Right.Device} {
		require.NoError(t, ns.Run(func() error { return addBridge(device) }))
	}
	h.round(t, "a host on a bridge", time.Second, func() error {
		return one.Run(func() error {
			pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "host"}, PeerName: "eth0", PeerNamespace: pod.Descriptor()}
			if err := netlink.LinkAdd(pair); err != nil {
				return err
			}
			bridge, err := netlink.LinkByName("bridge")
			if err != nil {
				return err
			}
			if err := errors.Join(netlink.LinkSetMaster(pair, bridge), netlink.LinkSetUp(pair), pod.Run(func() error {
				eth0, err := netlink.LinkByName("eth0")
				if err != nil {
					return err
				}
				return netlink.LinkSetUp(eth0)
			})); err != nil {
				return err
			}
			time.Sleep(3 * time.Second)
			return netlink.LinkDel(pair)
		})
	})
}

// addBridge makes a bridge with spanning tree enabled, and with one port.
func addBridge(port string) error {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bridge"}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return err
	}
	link, err := netlink.LinkByName("bridge")
	if err != nil {
		return err
	}
	const helloTime, stpState = 2, 5 // IFLA_BR_
	request := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	message := nl.NewIfInfomsg(unix.AF_UNSPEC)
	message.Index = int32(link.Attrs().Index)
	request.AddData(message)
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
	data.AddRtAttr(helloTime, nl.Uint32Attr(100))
	data.AddRtAttr(stpState, nl.Uint32Attr(1))
	request.AddData(info)
	if _, err := request.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return err
	}
	device, err := netlink.LinkByName(port)
	if err != nil {
		return err
	}
	return errors.Join(netlink.LinkSetMaster(device, link), netlink.LinkSetUp(link))
}
