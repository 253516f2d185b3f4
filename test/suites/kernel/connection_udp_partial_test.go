// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"encoding/binary"
	"net/netip"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// sendEach sends a byte to each address by one call of sendmmsg(2), and returns how many were sent.
func sendEach(fd int, to ...netip.AddrPort) (int, error) {
	type mmsghdr struct {
		unix.Msghdr
		length uint32
		_      [4]byte
	}
	headers, content := make([]mmsghdr, len(to)), unix.Iovec{Base: new(byte), Len: 1}
	for i, address := range to {
		name := binary.NativeEndian.AppendUint16(nil, unix.AF_INET6)
		if address.Addr().Is4() {
			name = binary.NativeEndian.AppendUint16(nil, unix.AF_INET)
		}
		name = binary.BigEndian.AppendUint16(name, address.Port())
		if address.Addr().Is6() {
			name = append(name, 0, 0, 0, 0)
		}
		name = append(name, address.Addr().AsSlice()...)
		if address.Addr().Is6() {
			name = append(name, 0, 0, 0, 0)
		} else {
			name = append(name, make([]byte, 8)...)
		}
		headers[i].Name, headers[i].Namelen = unsafe.SliceData(name), uint32(len(name))
		headers[i].Iov, headers[i].Iovlen = &content, 1
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(headers))), uintptr(len(to)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// sendmmsg() sends some of the datagrams, and does not report why it has not sent the others. These get a new peer when it is called for
// them again.
func TestConnectionUDPPartlySent(t *testing.T) {
	testnet.Require(t)
	if !kernelSays().taskWork {
		testenv.Lacking(t, "task work for BPF programs (6.18), which reads the result of a system call")
	}
	r := testreceiver.Start(t, "exclude: {self: false}\nprograms: {connection: {}}")
	mapped := func(address string) netip.Addr { return netip.AddrFrom16(netip.MustParseAddr(address).As16()) }
	for name, tt := range map[string]struct {
		family                  int
		here, unreachable, then netip.Addr
	}{
		"IPv4":        {unix.AF_INET, netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("203.0.113.9")},
		"IPv6":        {unix.AF_INET6, netip.MustParseAddr("fd18:7::7"), netip.MustParseAddr("2001:db8::9"), netip.MustParseAddr("fd18:7::9")},
		"IPv4-mapped": {unix.AF_INET6, mapped("203.0.113.7"), mapped("198.51.100.9"), mapped("203.0.113.9")},
	} {
		t.Run(name, func(t *testing.T) {
			ns := testnet.NewNamespace(t)
			for _, address := range []netip.Addr{tt.here.Unmap(), tt.then.Unmap()} {
				ns.AddAddress(t, "lo", netip.PrefixFrom(address, address.BitLen()))
			}
			var fd int
			require.NoError(t, ns.Run(func() (err error) {
				fd, err = unix.Socket(tt.family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
				return err
			}))
			t.Cleanup(func() { _ = unix.Close(fd) })
			from := testreceiver.OfProcess(os.Getpid())
			at := func(port int64) []testreceiver.Match {
				return []testreceiver.Match{from, testreceiver.InNamespace(ns), testreceiver.With("server.port", port)}
			}
			to := []netip.AddrPort{
				netip.AddrPortFrom(tt.here, 5001), netip.AddrPortFrom(tt.here, 5002), netip.AddrPortFrom(tt.unreachable, 5003), netip.AddrPortFrom(tt.then, 5004),
			}
			n, err := sendEach(fd, to...)
			require.NoError(t, err)
			require.Equal(t, 2, n)
			r.Settle(t)
			for port, want := range map[int64]int{5001: 1, 5002: 1, 5003: 0, 5004: 0} {
				r.Exactly(t, want, at(port)...)
			}

			_, err = sendEach(fd, to[2:]...)
			require.ErrorIs(t, err, unix.ENETUNREACH)
			failed := r.Exactly(t, 1, at(5003)...)[0]
			require.Equal(t, "net_unreachable", failed.Attributes["error.type"])
			n, err = sendEach(fd, to[3:]...)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			r.Exactly(t, 1, append(at(5004), testreceiver.With("error.type", nil))...)
		})
	}
}
