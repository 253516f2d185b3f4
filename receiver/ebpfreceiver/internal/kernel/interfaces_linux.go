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
	// Ethernet reports whether its packets have an Ethernet header. Those of the loopback interface have one.
	Ethernet bool
	// Master reports whether the interface delegates its work to others, so that a program in its driver would see their
	// indices.
	Master bool
	// XDPProgram is the id of the attached XDP program, 0 if there is none.
	XDPProgram uint32
	// XDPGeneric reports whether that program runs in generic mode, after the driver.
	XDPGeneric bool
}

// listings is how often the list of interfaces is read again if it changed while it was read.
const listings = 5

// Interfaces returns the network interfaces by their indices.
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

// InterfaceChanges reports changes of network interfaces.
type InterfaceChanges struct {
	// C receives a value after a change. One value may stand for several changes.
	C <-chan struct{}

	socket  *nl.NetlinkSocket
	closing chan struct{}
	reading sync.WaitGroup
}

// WatchInterfaces starts to watch the network interfaces of this process's network namespace.
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

// read takes every message as a sign that something has changed, and does not use its content. So nothing is lost if the
// socket has no room for a message.
func (c *InterfaceChanges) read(changed chan<- struct{}) {
	for {
		_, _, err := c.socket.Receive()
		select {
		case changed <- struct{}{}:
		default:
		}
		pause := time.Duration(0)
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			pause = time.Second // an unknown error must not become a busy loop
		}
		select {
		case <-c.closing:
			return
		case <-time.After(pause):
		}
	}
}

// Close stops watching.
func (c *InterfaceChanges) Close() {
	close(c.closing)
	c.socket.Close()
	c.reading.Wait()
}
