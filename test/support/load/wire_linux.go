// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Wire is a pair of network interfaces without addresses: what is sent, and nothing else, is received by one of them.
type Wire struct {
	pair   *netlink.Veth
	socket int
	from   int
}

// NewWire makes a wire whose receiving interface has a name.
func NewWire(name string) (_ *Wire, err error) {
	w := &Wire{pair: netlink.NewVeth(netlink.LinkAttrs{Name: name})}
	w.pair.PeerName = name + "-peer"
	if err := netlink.LinkAdd(w.pair); err != nil {
		return nil, fmt.Errorf("make the network interfaces %s and %s: %w", w.pair.Name, w.pair.PeerName, err)
	}
	if w.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, errors.Join(err, netlink.LinkDel(w.pair))
	}
	for _, name := range []string{w.pair.Name, w.pair.PeerName} {
		end, err := netlink.LinkByName(name)
		if err == nil {
			// Or the kernel sends packets of its own.
			err = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
		}
		if err == nil {
			err = netlink.LinkSetUp(end)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("network interface %s: %w", name, err), w.Close())
		}
		w.from = end.Attrs().Index
	}
	return w, nil
}

// Send has the wire's interface receive a frame.
func (w *Wire) Send(frame []byte) error {
	if err := unix.Sendto(w.socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.from}); err != nil {
		return fmt.Errorf("send a frame of %d bytes: %w", len(frame), err)
	}
	return nil
}

// Close takes the wire away.
func (w *Wire) Close() error { return errors.Join(unix.Close(w.socket), netlink.LinkDel(w.pair)) }

// Received is how many frames the wire's interface has received.
func (w *Wire) Received() uint64 {
	link, err := netlink.LinkByName(w.pair.Name)
	if err != nil || link.Attrs().Statistics == nil {
		return 0
	}
	return link.Attrs().Statistics.RxPackets
}
