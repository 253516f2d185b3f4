// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"container/list"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

const (
	// maxConnections bounds the TCP connections whose streams are reassembled.
	maxConnections = 4096
	// connectionIdle is how long a connection is remembered after its last message, in ns.
	connectionIdle = 120e9
)

// connection is a TCP connection to a server.
type connection struct {
	cookie         uint64
	sent, received stream
	// owner is the last known sender.
	owner       common.Owner
	attribution uint8
	used        uint64
}

// connections are the TCP connections by the cookies of their sockets, which no two have.
type connections struct {
	byCookie map[uint64]*list.Element
	// inOrder are the connections in the order of their last use.
	inOrder *list.List
}

func newConnections() connections {
	return connections{byCookie: map[uint64]*list.Element{}, inOrder: list.New()}
}

// get returns a connection, at a time of the kernel. A new one begins with the first segment that is seen of it.
func (c *connections) get(cookie, now uint64) *connection {
	place := c.byCookie[cookie]
	if place == nil {
		if len(c.byCookie) >= maxConnections {
			c.drop(c.inOrder.Front())
		}
		place = c.inOrder.PushBack(&connection{cookie: cookie})
		c.byCookie[cookie] = place
	}
	c.inOrder.MoveToBack(place)
	one := place.Value.(*connection)
	one.used = max(one.used, now)
	return one
}

func (c *connections) drop(place *list.Element) {
	delete(c.byCookie, c.inOrder.Remove(place).(*connection).cookie)
}

// dropIdle drops the connections that were not used for connectionIdle.
func (c *connections) dropIdle(now uint64) {
	for oldest := c.inOrder.Front(); oldest != nil && now > oldest.Value.(*connection).used+connectionIdle; oldest = c.inOrder.Front() {
		c.drop(oldest)
	}
}
