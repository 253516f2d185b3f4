// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// openFiltered opens a socket whose filter refuses everything.
func openFiltered(t *testing.T, ns *testnet.Namespace, family, kind, protocol int) (fd int) {
	t.Helper()
	require.NoError(t, ns.Run(func() (err error) {
		fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
		return err
	}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	refuse := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	require.NoError(t, unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &refuse}))
	return fd
}

// A raw socket gets a copy of each packet of its protocol. A copy that its filter refuses is not a loss: the filter of each ping refuses
// the answers to all other pings. A packet that the filter of another kind of socket refuses is lost.
func TestPacketDropsLeaveOutFiltersOfRawSockets(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, ownPacketDrop)
	for _, end := range []netip.Addr{testnet.Right.IPv4, testnet.Right.IPv6} {
		left, right := testnet.NewPair(t)
		family, from := unix.AF_INET, testnet.Left.IPv4
		var to unix.Sockaddr = &unix.SockaddrInet4{Addr: as4(end), Port: filteredPort}
		if end.Is6() {
			family, from, to = unix.AF_INET6, testnet.Left.IPv6, &unix.SockaddrInet6{Addr: end.As16(), Port: filteredPort}
		}
		openFiltered(t, right, family, unix.SOCK_RAW, unix.IPPROTO_UDP)
		receiver, sender := packets(t, right, end, 0), packets(t, left, from, 0)
		const count = 10
		for range count {
			_, err := sender.WriteTo([]byte("copied"), receiver.LocalAddr())
			require.NoError(t, err)
			_, err = receiver.Read(make([]byte, 10))
			require.NoError(t, err)
		}
		alone := openFiltered(t, right, family, unix.SOCK_DGRAM, 0)
		require.NoError(t, unix.Bind(alone, to))
		raw, err := sender.SyscallConn()
		require.NoError(t, err)
		for range count {
			require.NoError(t, raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte("refused"), 0, to) }))
			require.NoError(t, err)
		}
		events := r.Exactly(t, count, testreceiver.Named(dropEvent), at(right), testreceiver.With("source.port", int64(sender.LocalAddr().(*net.UDPAddr).Port)))
		for _, e := range events {
			assert.Equal(t, int64(filteredPort), e.Attributes["destination.port"])
			if kernelSays().reasons {
				assert.Equal(t, "socket_filter", e.Attributes[reasonKey])
			}
		}
	}
}
