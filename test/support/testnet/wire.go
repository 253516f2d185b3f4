// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Wire is a veth pair without addresses, from a namespace to the one that the test runs in. Nothing but what the test
// sends is on it: IPv6 is off, and so is all that makes one packet of several, or several of one.
type Wire struct {
	// Device is the interface on the test's side, Peer that in the namespace.
	Device, Peer string
	// Index is that of Device.
	Index int

	ns     *Namespace
	socket int
	sent   uint64
}

// burst is how many frames are sent at once. The driver has room for some hundreds, and says nothing of those it drops.
const burst = 64

// WireName is the name on the test's side of a wire. No other process's wires have such a name.
func WireName(name string) string { return fmt.Sprintf("kt%d-%s", os.Getpid(), name) }

// NewWire makes a wire that goes away with the test, with a driver that XDP programs run in.
func NewWire(t testing.TB, ns *Namespace, name string) *Wire {
	t.Helper()
	return newWire(t, ns, name, 1)
}

// NewGenericWire makes a wire whose driver refuses XDP programs, because the other side has more queues to send from than
// this one has to receive from.
func NewGenericWire(t testing.TB, ns *Namespace, name string) *Wire {
	t.Helper()
	return newWire(t, ns, name, 2)
}

func newWire(t testing.TB, ns *Namespace, name string, sendingQueues uint32) *Wire {
	t.Helper()
	w := &Wire{Device: WireName(name), Peer: "peer-" + name, ns: ns}
	require.NoError(t, netlink.LinkAdd(&netlink.Veth{
		LinkAttrs:       netlink.LinkAttrs{Name: w.Device, TxQLen: -1, NumTxQueues: 1, NumRxQueues: 1},
		PeerName:        w.Peer,
		PeerNumTxQueues: sendingQueues,
		PeerNamespace:   netlink.NsFd(int(ns.handle)),
	}), "making a veth pair")
	t.Cleanup(func() { w.Cut(t) })
	link, err := netlink.LinkByName(w.Device)
	require.NoError(t, err)
	w.Index = link.Attrs().Index
	require.NoError(t, quiet(w.Device))
	require.NoError(t, ns.Run(func() error { return quiet(w.Peer) }))
	require.NoError(t, netlink.LinkSetUp(link))
	ns.up(t, w.Peer)
	w.await(t)
	require.NoError(t, ns.Run(func() error {
		w.socket, err = packetSocket(w.Peer)
		return err
	}), "opening a packet socket")
	t.Cleanup(func() { _ = unix.Close(w.socket) })
	return w
}

// await waits until the wire carries what is sent.
func (w *Wire) await(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool { return w.ns.carrier(t, w.Peer) }, Patiently(10*time.Second), time.Millisecond, "the wire's carrier")
}

// packetSocket opens a socket that sends whole frames out of an interface of the thread's network namespace.
func packetSocket(device string) (fd int, err error) {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return 0, err
	}
	if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index})
}

// Loop returns what puts a frame on the loopback interface, for itself to receive.
func Loop(t testing.TB) (send func(testing.TB, []byte)) {
	t.Helper()
	fd, err := packetSocket("lo")
	require.NoError(t, err, "opening a packet socket")
	t.Cleanup(func() { _ = unix.Close(fd) })
	return func(t testing.TB, frame []byte) {
		t.Helper()
		_, err := unix.Write(fd, frame)
		require.NoError(t, err, "sending a frame of %d bytes", len(frame))
	}
}

// Send puts a frame on the wire, for the test's side to receive.
func (w *Wire) Send(t testing.TB, frame []byte) {
	t.Helper()
	_, err := unix.Write(w.socket, frame)
	require.NoError(t, err, "sending a frame of %d bytes", len(frame))
	if w.sent++; w.sent%burst == 0 {
		require.Eventually(t, func() bool { return w.received(t) >= w.sent }, Patiently(10*time.Second), 10*time.Microsecond, "frames are lost")
	}
}

// received is how many frames the test's side has received.
func (w *Wire) received(t testing.TB) uint64 {
	t.Helper()
	device, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	return device.Attrs().Statistics.RxPackets
}

// SetMTU lets the wire carry packets of another size.
func (w *Wire) SetMTU(t testing.TB, mtu int) {
	t.Helper()
	device, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	require.NoError(t, netlink.LinkSetMTU(device, mtu))
	peer, err := w.ns.links.LinkByName(w.Peer)
	require.NoError(t, err)
	require.NoError(t, w.ns.links.LinkSetMTU(peer, mtu))
}

// Cut takes the wire away, unless that is done.
func (w *Wire) Cut(t testing.TB) {
	t.Helper()
	if link, err := netlink.LinkByIndex(w.Index); err == nil {
		require.NoError(t, netlink.LinkDel(link))
	}
}

// Rename gives the interface on the test's side another name.
func (w *Wire) Rename(t testing.TB, name string) {
	t.Helper()
	w.Device = WireName(name)
	link, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	require.NoError(t, netlink.LinkSetDown(link))
	require.NoError(t, netlink.LinkSetName(link, w.Device))
	require.NoError(t, netlink.LinkSetUp(link))
}

// XDP returns the id of the XDP program on the test's side, 0 if there is none, and whether it runs in the driver.
func (w *Wire) XDP(t testing.TB) (id int, native bool) {
	t.Helper()
	link, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	xdp := link.Attrs().Xdp
	if xdp == nil || !xdp.Attached {
		return 0, false
	}
	const attachedToDriver = 1 // XDP_ATTACHED_DRV
	return int(xdp.ProgId), xdp.AttachMode == attachedToDriver
}

// quiet has an interface send nothing by itself, and receive what was sent as it was sent.
func quiet(device string) error {
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0o600); err != nil {
		return err
	}
	return withoutOffloads(device)
}

// withoutOffloads has an interface neither take several packets together nor send large ones for others to divide, unless
// its driver does not do that anyway, as those of older kernels opposite to an XDP program.
func withoutOffloads(device string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	const setTSO, setGSO, setGRO = 0x1f, 0x24, 0x2c // include/uapi/linux/ethtool.h
	for _, command := range []uint32{setTSO, setGSO, setGRO} {
		value := struct{ command, data uint32 }{command: command}
		request := struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}{data: unsafe.Pointer(&value)}
		copy(request.name[:], device)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 && errno != unix.EOPNOTSUPP {
			return fmt.Errorf("ethtool %#x on %s: %w", command, device, errno)
		}
	}
	return nil
}
