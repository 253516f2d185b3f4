// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Interface is a network interface of this process's network namespace.
type Interface struct {
	Index int
	Name  string
	// Ethernet is whether its packets have the header of Ethernet; the loopback interface's have.
	Ethernet bool
	// Master is whether others do its work, and a program in its driver would see their indices instead of its own.
	Master bool
	// XDPProgram is the id of the XDP program that is attached to it, 0 if there is none.
	XDPProgram uint32
	// XDPGeneric is whether that runs behind the driver.
	XDPGeneric bool
}

// listings is how often a list of interfaces is asked for that others change meanwhile.
const listings = 5

// Interfaces returns the network interfaces that there are, by their indices.
func Interfaces() (map[int]Interface, error) {
	var links []netlink.Link
	for attempt := 1; ; attempt++ {
		var err error
		links, err = netlink.LinkList()
		if err == nil {
			break
		}
		if !errors.Is(err, netlink.ErrDumpInterrupted) || attempt == listings {
			return nil, fmt.Errorf("list the network interfaces: %w", err)
		}
	}
	all := make(map[int]Interface, len(links))
	for _, link := range links {
		a := link.Attrs()
		i := Interface{
			Index:    a.Index,
			Name:     a.Name,
			Ethernet: a.EncapType == "ether" || a.EncapType == "loopback",
			Master:   link.Type() == "bond",
		}
		if a.Xdp != nil && a.Xdp.Attached {
			i.XDPProgram, i.XDPGeneric = a.Xdp.ProgId, a.Xdp.AttachMode == nl.XDP_ATTACHED_SKB
		}
		all[a.Index] = i
	}
	return all, nil
}

// InterfaceChanges tells when network interfaces come, go or change.
type InterfaceChanges struct {
	// C receives after a change; one value may stand for several.
	C <-chan struct{}

	socket  *nl.NetlinkSocket
	closing chan struct{}
	reading sync.WaitGroup
}

// WatchInterfaces begins to tell of changes to the network interfaces of this process's network namespace.
func WatchInterfaces() (*InterfaceChanges, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return nil, fmt.Errorf("watch the network interfaces: %w", err)
	}
	changed := make(chan struct{}, 1)
	c := &InterfaceChanges{C: changed, socket: socket, closing: make(chan struct{})}
	c.reading.Go(func() { c.read(changed) })
	return c, nil
}

// read takes what the kernel tells as no more than a sign that something has changed, so that nothing is lost with a
// message for which the socket has no room.
func (c *InterfaceChanges) read(changed chan<- struct{}) {
	for {
		_, _, err := c.socket.Receive()
		select {
		case changed <- struct{}{}:
		default:
		}
		pause := time.Duration(0)
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			pause = time.Second // nothing that is known; it must not become a busy loop
		}
		select {
		case <-c.closing:
			return
		case <-time.After(pause):
		}
	}
}

// Close ends it.
func (c *InterfaceChanges) Close() {
	close(c.closing)
	c.socket.Close()
	c.reading.Wait()
}
