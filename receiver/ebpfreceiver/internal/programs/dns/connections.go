// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

const (
	// maxConnections bounds the TCP connections whose messages are put together.
	maxConnections = 4096
	// connectionIdle is how long a connection is remembered after its last message, in ns.
	connectionIdle = 120e9
)

// connection is a TCP connection to a server.
type connection struct {
	sent, received stream
	// owner is who has sent last, as far as that is known.
	owner       common.Owner
	attribution uint8
	used        uint64
}

// connections are the TCP connections by the cookies of their sockets, which no two have.
type connections map[uint64]*connection

// get returns a connection, at a time of the kernel. A new one begins with the first segment that is seen of it.
func (c connections) get(cookie, now uint64) *connection {
	one := c[cookie]
	if one == nil {
		if len(c) >= maxConnections {
			c.dropOldest()
		}
		one = &connection{}
		c[cookie] = one
	}
	one.used = now
	return one
}

func (c connections) dropOldest() {
	var oldest uint64
	for cookie, one := range c {
		if oldest == 0 || one.used < c[oldest].used {
			oldest = cookie
		}
	}
	delete(c, oldest)
}

// dropIdle drops those that were not used for long.
func (c connections) dropIdle(now uint64) {
	for cookie, one := range c {
		if now > one.used && now-one.used > connectionIdle {
			delete(c, cookie)
		}
	}
}
