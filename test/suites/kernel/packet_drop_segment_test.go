// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// wireTap is a connection of this process from the left to the right namespace, with a raw socket that sends segments as if
// they came from the client.
type wireTap struct {
	listener, client, server, raw int
	from, to                      netip.AddrPort
}

func openTap(t *testing.T, left, right *testnet.Namespace, prepare ...func(listener int)) *wireTap {
	t.Helper()
	w := &wireTap{}
	socket := func(ns *testnet.Namespace, kind, protocol int) (fd int) {
		require.NoError(t, ns.Run(func() (err error) {
			fd, err = unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, protocol)
			return err
		}))
		t.Cleanup(func() { _ = unix.Close(fd) })
		return fd
	}
	w.listener = socket(right, unix.SOCK_STREAM, 0)
	for _, f := range prepare {
		f(w.listener)
	}
	require.NoError(t, unix.Bind(w.listener, &unix.SockaddrInet4{Addr: testnet.Right.IPv4.As4()}))
	require.NoError(t, unix.Listen(w.listener, 8))
	w.to = local(t, w.listener)
	w.client = socket(left, unix.SOCK_STREAM, 0)
	require.NoError(t, unix.Connect(w.client, &unix.SockaddrInet4{Addr: w.to.Addr().As4(), Port: int(w.to.Port())}))
	w.from = local(t, w.client)
	w.raw = socket(left, unix.SOCK_RAW, unix.IPPROTO_RAW)
	return w
}

func (w *wireTap) accept(t *testing.T) {
	t.Helper()
	fd, _, err := unix.Accept4(w.listener, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	w.server = fd
}

func local(t *testing.T, fd int) netip.AddrPort {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	require.NoError(t, err)
	a := sa.(*unix.SockaddrInet4)
	return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
}

// expected returns the next sequence numbers that a socket expects and sends.
func expected(t *testing.T, fd int) (next, own uint32) {
	t.Helper()
	const receiveQueue, sendQueue = 1, 2
	require.NoError(t, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1))
	read := func(queue int) uint32 {
		require.NoError(t, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_QUEUE, queue))
		value, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ)
		require.NoError(t, err)
		return uint32(value)
	}
	next, own = read(receiveQueue), read(sendQueue)
	require.NoError(t, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, -1)) // off, without a window probe
	return next, own
}

// forged is a segment that appears to come from the client.
type forged struct {
	flags          uint8
	sequence, ack  uint32
	data           int
	brokenChecksum bool
}

// send sends the segment without TCP options.
func (w *wireTap) send(t *testing.T, s forged) {
	t.Helper()
	from, to := w.from.Addr().As4(), w.to.Addr().As4()
	segment := make([]byte, 20+s.data)
	binary.BigEndian.PutUint16(segment[0:], w.from.Port())
	binary.BigEndian.PutUint16(segment[2:], w.to.Port())
	binary.BigEndian.PutUint32(segment[4:], s.sequence)
	binary.BigEndian.PutUint32(segment[8:], s.ack)
	segment[12], segment[13] = 5<<4, s.flags
	binary.BigEndian.PutUint16(segment[14:], 1000)
	pseudo := append(append(from[:], to[:]...), 0, unix.IPPROTO_TCP, byte(len(segment)>>8), byte(len(segment)))
	sum := onesComplement(append(pseudo, segment...))
	if s.brokenChecksum {
		sum ^= 0x5555
	}
	binary.BigEndian.PutUint16(segment[16:], sum)
	require.NoError(t, unix.Sendto(w.raw, testnet.IPv4(w.from.Addr(), w.to.Addr(), 64, unix.IPPROTO_TCP, 0, nil, segment), 0,
		&unix.SockaddrInet4{Addr: to}))
}

func onesComplement(data []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	if len(data)%2 == 1 {
		sum += uint32(data[len(data)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// withoutTimestamps makes the kernel accept segments without options.
func withoutTimestamps(t *testing.T, namespaces ...*testnet.Namespace) {
	t.Helper()
	for _, ns := range namespaces {
		ns.Sysctl(t, "net.ipv4.tcp_timestamps", "0")
	}
}

const (
	// ownPacketDrop includes the sockets of this process.
	ownPacketDrop = "exclude: {self: false}\nprograms: {packet_drop: {}}"

	far        = 1 << 28 // beyond any window
	someReason = "some"  // for a reason that depends on the kernel
)

// A segment that its socket drops is lost if it carried something new. An acknowledgement, a probe or a repetition is not a loss.
func TestPacketDropOfSegments(t *testing.T) {
	testnet.Require(t)
	if !kernelSays().reasons {
		testenv.Lacking(t, "drop reasons: it frees these segments without a tracepoint")
	}
	r := testreceiver.Start(t, ownPacketDrop)
	halfClose := func(t *testing.T, w *wireTap) {
		require.NoError(t, unix.Shutdown(w.client, unix.SHUT_WR))
		_, err := unix.Read(w.server, make([]byte, 1))
		require.NoError(t, err)
	}
	for _, tt := range []struct {
		name    string
		prepare func(*testing.T, *wireTap)
		// segment gets the next sequence numbers that the server expects and sends.
		segment func(next, own uint32) forged
		// reason is the reason of the only drop; if empty, there is no drop.
		reason string
	}{
		{"an acknowledgement that is old", nil, func(next, own uint32) forged { return forged{flags: ack, sequence: next - 500, ack: own} }, ""},
		{"a probe that keeps alive", nil, func(next, own uint32) forged { return forged{flags: ack, sequence: next - 1, ack: own} }, ""},
		{"the same with a byte", nil, func(next, own uint32) forged { return forged{flags: ack, sequence: next - 1, ack: own, data: 1} }, ""},
		{"data that has come", nil, func(next, own uint32) forged { return forged{flags: ack, sequence: next - 500, ack: own, data: 500} }, ""},
		{"data that is too far", nil, func(next, own uint32) forged { return forged{flags: ack, sequence: next + far, ack: own, data: 500} }, someReason},
		{"an acknowledgement that is too far", nil, func(next, own uint32) forged { return forged{flags: ack, sequence: next + far, ack: own} }, ""},
		{"an acknowledgement of unsent data", nil, func(next, own uint32) forged { return forged{flags: ack, sequence: next, ack: own + far} }, ""},
		{"data with an acknowledgement of unsent data", nil, func(next, own uint32) forged {
			return forged{flags: ack, sequence: next, ack: own + far, data: 500}
		}, "tcp_ack_unsent_data"},
		{"a reset that nearly fits", nil, func(next, _ uint32) forged { return forged{flags: rst, sequence: next + 10} }, "tcp_reset"},
		{"a SYN", nil, func(next, _ uint32) forged { return forged{flags: syn, sequence: next} }, "tcp_invalid_syn"},
		{"no flags", nil, func(next, _ uint32) forged { return forged{sequence: next, data: 10} }, "tcp_flags"},
		{"an acknowledgement that was changed on its way", nil, func(next, own uint32) forged {
			return forged{flags: ack, sequence: next, ack: own, brokenChecksum: true}
		}, "tcp_csum"},
		{"an acknowledgement after a FIN", halfClose, func(next, own uint32) forged { return forged{flags: ack, sequence: next, ack: own} }, ""},
		{"a second FIN", halfClose, func(next, own uint32) forged { return forged{flags: fin | ack, sequence: next - 1, ack: own} }, ""},
		{"data after a FIN", halfClose, func(next, own uint32) forged { return forged{flags: ack, sequence: next, ack: own, data: 5} }, someReason},
	} {
		t.Run(tt.name, func(t *testing.T) {
			left, right := testnet.NewPair(t)
			withoutTimestamps(t, left, right)
			w := openTap(t, left, right)
			w.accept(t)
			_, err := unix.Write(w.client, make([]byte, 1000))
			require.NoError(t, err)
			n, err := unix.Read(w.server, make([]byte, 2000))
			require.NoError(t, err)
			require.Equal(t, 1000, n)
			if tt.prepare != nil {
				tt.prepare(t, w)
			}
			w.send(t, tt.segment(expected(t, w.server)))
			checkDrops(t, r, tt.reason, right, w.from.Port())
		})
	}
}

// at matches the drops in a namespace. Before Linux 6.11 the namespace of a segment that its socket drops is not known.
func at(ns *testnet.Namespace) testreceiver.Match {
	inside := testreceiver.InNamespace(ns)
	return func(e testreceiver.Event) bool {
		_, known := e.Attributes["ebpf.network.namespace"]
		return inside(e) || !known && e.Time.After(ns.Born)
	}
}

// checkDrops checks that one packet from that port was dropped, or none if reason is empty.
func checkDrops(t *testing.T, r *testreceiver.Receiver, reason string, ns *testnet.Namespace, port uint16) {
	t.Helper()
	from := testreceiver.With("source.port", int64(port))
	if reason == "" {
		r.Settle(t)
		assert.Empty(t, r.Events.Matching(unicastDrop, at(ns), from))
		return
	}
	e := r.Exactly(t, 1, unicastDrop, at(ns), from)[0]
	if reason != someReason && kernelSays().reasons {
		assert.Equal(t, reason, e.Attributes[reasonKey])
	}
}

// Data beyond a closed window is lost. A single byte is a window probe.
func TestPacketDropAtClosedWindow(t *testing.T) {
	testnet.Require(t)
	if !kernelSays().reasons {
		testenv.Lacking(t, "drop reasons: it frees these segments without a tracepoint")
	}
	r := testreceiver.Start(t, ownPacketDrop)
	for size, reason := range map[int]string{0: "", 1: "", 500: someReason} {
		left, right := testnet.NewPair(t)
		withoutTimestamps(t, left, right)
		w := openTap(t, left, right, func(listener int) {
			require.NoError(t, unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096))
		})
		w.accept(t)
		require.NoError(t, unix.SetNonblock(w.client, true))
		for {
			if _, err := unix.Write(w.client, make([]byte, 1000)); err != nil {
				require.ErrorIs(t, err, unix.EAGAIN)
				break
			}
		}
		require.True(t, testreceiver.Eventually(func() bool {
			info, err := unix.GetsockoptTCPInfo(w.client, unix.IPPROTO_TCP, unix.TCP_INFO)
			return err == nil && info.Unacked == 0
		}))
		r.Settle(t)
		from := testreceiver.With("source.port", int64(w.from.Port()))
		before := len(r.Events.Matching(unicastDrop, at(right), from))
		next, own := expected(t, w.server)
		w.send(t, forged{flags: ack, sequence: next, ack: own, data: size})
		r.Settle(t)
		drops := r.Events.Matching(unicastDrop, at(right), from)[before:]
		if reason == "" {
			assert.Empty(t, drops, "%d bytes", size)
		} else {
			assert.Len(t, drops, 1, "%d bytes", size)
		}
	}
}

// The acknowledgement that a deferring listener ignores is not a loss, whether or not data follows.
func TestPacketDropsLeaveOutDeferredAccepts(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, ownPacketDrop)
	left, right := testnet.NewPair(t)
	deferring := func(listener int) {
		require.NoError(t, unix.SetsockoptInt(listener, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 5))
	}
	for range 2 {
		w := openTap(t, left, right, deferring)
		_, err := unix.Write(w.client, []byte("hello"))
		require.NoError(t, err)
		w.accept(t)
	}
	r.Settle(t)
	assert.Empty(t, r.Events.Matching(unicastDrop, testreceiver.InNamespace(left, right)))
}

// A segment for a closed port is lost, except for a reset, which has nothing to end.
func TestPacketDropOfSegmentsForNobody(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, ownPacketDrop)
	for name, tt := range map[string]struct {
		flags  uint8
		reason string
	}{"ack": {ack, "no_socket"}, "syn": {syn, "no_socket"}, "rst": {rst, ""}} {
		left, right := testnet.NewPair(t)
		w := openTap(t, left, right)
		w.from = netip.AddrPortFrom(w.from.Addr(), 12345)
		w.to = netip.AddrPortFrom(w.to.Addr(), closedPort)
		w.send(t, forged{flags: tt.flags, sequence: 1, ack: 1})
		t.Log(name)
		checkDrops(t, r, tt.reason, right, w.from.Port())
	}
}

// An acknowledgement without a connection is not a loss although its listener's accept queue is full: it does not end a handshake.
func TestPacketDropsLeaveOutAcknowledgementsOfNoConnection(t *testing.T) {
	testnet.Require(t)
	if !kernelSays().reasons {
		testenv.Lacking(t, "drop reasons: it does not tell this acknowledgement from the last one of a handshake")
	}
	r := testreceiver.Start(t, ownPacketDrop)
	left, right := testnet.NewPair(t)
	w := openTap(t, left, right)
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(w.listener), Events: unix.POLLIN}}, -1)
	require.NoError(t, err)
	require.NoError(t, unix.Listen(w.listener, 0)) // the waiting connection exceeds the new limit
	w.from = netip.AddrPortFrom(w.from.Addr(), 12345)
	w.send(t, forged{flags: ack, sequence: 1, ack: 1})
	checkDrops(t, r, "", right, w.from.Port())
}

// An acknowledgement that a filter drops is lost.
func TestPacketDropOfFilteredAcknowledgements(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, ownPacketDrop)
	left, right := testnet.NewPair(t)
	w := openTap(t, left, right)
	w.accept(t)
	rule := right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: ack})
	next, own := expected(t, w.server)
	const count = 5
	for range count {
		w.send(t, forged{flags: ack, sequence: next, ack: own})
	}
	require.True(t, testreceiver.Eventually(func() bool { return rule.Packets(t) == count }))
	r.Exactly(t, count, unicastDrop, testreceiver.InNamespace(right), withReason("netfilter_drop"), withFlags("ack"))
}
