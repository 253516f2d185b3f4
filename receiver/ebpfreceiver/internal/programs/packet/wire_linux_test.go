// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// wire is a pair of network interfaces without addresses. Its device receives only what the test sends.
type wire struct {
	device string
	socket int
	from   int
}

// newWire creates a wire that is removed after the test.
func newWire(t *testing.T, device string) *wire {
	t.Helper()
	w := &wire{device: device}
	pair := netlink.NewVeth(netlink.LinkAttrs{Name: device})
	pair.PeerName = device + "-peer"
	require.NoError(t, netlink.LinkAdd(pair))
	t.Cleanup(func() { require.NoError(t, netlink.LinkDel(pair)) })
	for _, name := range []string{device, pair.PeerName} {
		end, err := netlink.LinkByName(name)
		require.NoError(t, err)
		// Otherwise the kernel sends packets by itself.
		require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0))
		require.NoError(t, netlink.LinkSetUp(end))
		w.from = end.Attrs().Index
	}
	var err error
	w.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(w.socket)) })
	return w
}

// send makes the device receive a frame.
func (w *wire) send(t *testing.T, frame []byte) {
	t.Helper()
	require.NoError(t, unix.Sendto(w.socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.from}))
}

// received returns the number of frames that the device has received.
func (w *wire) received(t *testing.T) int {
	t.Helper()
	link, err := netlink.LinkByName(w.device)
	require.NoError(t, err)
	return int(link.Attrs().Statistics.RxPackets)
}
