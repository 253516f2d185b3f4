// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// Wire is a veth pair without addresses that ends in the namespace of the test or command that makes it. It carries only the
// frames of Send and Put: IPv6 is off, and so are the offloads that merge or split packets.
type Wire struct {
	// Device is the receiving interface, Peer the other one.
	Device, Peer string
	// Index is the interface index of Device.
	Index int

	// ns is the namespace of Peer; nil is that of Device.
	ns     *Namespace
	socket int
	sent   uint64
}

// burst is how many frames are sent at once. The driver has room for some hundreds, and drops more without an error.
const burst = 64

// WireName is the name of the receiving interface of a test's wire. No other process uses it.
func WireName(name string) string { return fmt.Sprintf("kt%d-%s", os.Getpid(), name) }

// MakeWire makes a wire with both ends in this namespace. The receiving interface gets the name. The caller closes the wire.
func MakeWire(device string) (*Wire, error) {
	w := &Wire{Device: device, Peer: device + "-peer", socket: -1}
	if err := w.lay(1); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// NewWire makes a wire from a namespace, for the test. Its driver supports XDP programs.
func NewWire(t testing.TB, ns *Namespace, name string) *Wire {
	t.Helper()
	return newWire(t, ns, name, 1)
}

// NewGenericWire makes a wire whose driver refuses XDP programs: the other side has more sending queues than this one has
// receiving queues.
func NewGenericWire(t testing.TB, ns *Namespace, name string) *Wire {
	t.Helper()
	return newWire(t, ns, name, 2)
}

func newWire(t testing.TB, ns *Namespace, name string, sendingQueues uint32) *Wire {
	t.Helper()
	w := &Wire{Device: WireName(name), Peer: "peer-" + name, ns: ns, socket: -1}
	t.Cleanup(func() { require.NoError(t, w.Close(), "removing a wire") })
	require.NoError(t, w.lay(sendingQueues), "making a wire")
	return w
}

// lay makes the interfaces and the sending socket.
func (w *Wire) lay(sendingQueues uint32) error {
	pair := &netlink.Veth{
		LinkAttrs:       netlink.LinkAttrs{Name: w.Device, TxQLen: -1, NumTxQueues: 1, NumRxQueues: 1},
		PeerName:        w.Peer,
		PeerNumTxQueues: sendingQueues,
	}
	if w.ns != nil {
		pair.PeerNamespace = netlink.NsFd(int(w.ns.handle))
	}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("make the network interfaces %s and %s: %w", w.Device, w.Peer, err)
	}
	device, err := netlink.LinkByName(w.Device)
	if err != nil {
		return fmt.Errorf("network interface %s: %w", w.Device, err)
	}
	w.Index = device.Attrs().Index
	if err := errors.Join(quiet(w.Device), netlink.LinkSetUp(device)); err != nil {
		return fmt.Errorf("network interface %s: %w", w.Device, err)
	}
	if err := w.atPeer(func() (err error) {
		peer, err := netlink.LinkByName(w.Peer)
		if err != nil {
			return err
		}
		if err := errors.Join(quiet(w.Peer), netlink.LinkSetUp(peer)); err != nil {
			return err
		}
		w.socket, err = packetSocket(w.Peer)
		return err
	}); err != nil {
		return fmt.Errorf("network interface %s: %w", w.Peer, err)
	}
	return w.await()
}

// atPeer runs f in the namespace of the peer.
func (w *Wire) atPeer(f func() error) error {
	if w.ns == nil {
		return f()
	}
	return w.ns.Run(f)
}

// await waits until the wire has a carrier.
func (w *Wire) await() error {
	for end := time.Now().Add(testenv.Patiently(10 * time.Second)); ; time.Sleep(time.Millisecond) {
		var up bool
		if err := w.atPeer(func() error {
			peer, err := netlink.LinkByName(w.Peer)
			up = err == nil && peer.Attrs().OperState == netlink.OperUp
			return err
		}); err != nil || up {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s has no carrier", w.Peer)
		}
	}
}

// Close removes the wire, unless Cut has done so.
func (w *Wire) Close() error {
	err := w.cut()
	if w.socket >= 0 {
		err = errors.Join(err, unix.Close(w.socket))
	}
	w.socket = -1
	return err
}

// Cut removes the wire.
func (w *Wire) Cut(t testing.TB) {
	t.Helper()
	require.NoError(t, w.cut())
}

func (w *Wire) cut() error {
	link, err := netlink.LinkByIndex(w.Index)
	if err != nil {
		return nil //nolint:nilerr // it is removed, or was never made
	}
	return netlink.LinkDel(link)
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

// Loop returns a function that sends a frame on the loopback interface, which receives it.
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

// Send puts a frame on the wire. After each burst it waits until the receiving side has all frames.
func (w *Wire) Send(t testing.TB, frame []byte) {
	t.Helper()
	require.NoError(t, w.Put(frame))
	if w.sent++; w.sent%burst == 0 {
		require.Eventually(t, func() bool { return w.received(t) >= w.sent }, testenv.Patiently(10*time.Second), 10*time.Microsecond, "frames were lost")
	}
}

// Put puts a frame on the wire without waiting.
func (w *Wire) Put(frame []byte) error {
	if _, err := unix.Write(w.socket, frame); err != nil {
		return fmt.Errorf("send a frame of %d bytes: %w", len(frame), err)
	}
	return nil
}

// received is how many frames the receiving side has received.
func (w *Wire) received(t testing.TB) uint64 {
	t.Helper()
	device, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	return device.Attrs().Statistics.RxPackets
}

// SetMTU sets the MTU of both ends.
func (w *Wire) SetMTU(t testing.TB, mtu int) {
	t.Helper()
	device, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	require.NoError(t, netlink.LinkSetMTU(device, mtu))
	peer, err := w.ns.links.LinkByName(w.Peer)
	require.NoError(t, err)
	require.NoError(t, w.ns.links.LinkSetMTU(peer, mtu))
}

// Rename renames the receiving interface.
func (w *Wire) Rename(t testing.TB, name string) {
	t.Helper()
	w.Device = WireName(name)
	link, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	require.NoError(t, netlink.LinkSetDown(link))
	require.NoError(t, netlink.LinkSetName(link, w.Device))
	require.NoError(t, netlink.LinkSetUp(link))
}

// XDP returns the id of the XDP program on the receiving interface, 0 if there is none, and whether it runs in the driver.
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

// quiet keeps an interface from sending anything by itself, and from changing packets that it receives.
func quiet(device string) error {
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0o600); err != nil {
		return err
	}
	return withoutOffloads(device)
}

// withoutOffloads switches off merging of received packets and splitting of sent ones. A driver without these features
// refuses that, as drivers of older kernels do when the peer has an XDP program.
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
