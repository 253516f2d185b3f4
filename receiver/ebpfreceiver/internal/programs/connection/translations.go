// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
)

const (
	// translationShare limits requests to conntrack to one part in so many of the time.
	translationShare = 10
	// translationBurst is the most time that requests may take at once.
	translationBurst = 100 * time.Millisecond
	// trackingValid is how long the answer is used that this namespace tracks no connections.
	trackingValid = 100 * time.Millisecond
)

// translations ask conntrack to which server the kernel has sent a connection (DNAT). They ask in the connection's network namespace
// if netfilter has hooks for sent packets there, and otherwise in the receiver's own, where a host translates the packets of its
// containers.
type translations struct {
	own uint32 // inode number of the receiver's namespace; 0: unknown, no requests are made
	// tracks reports whether connections are tracked in the receiver's own namespace.
	tracks func() bool
	lookup func(namespace, pid uint32, protocol uint8, client, server netip.AddrPort) (netip.AddrPort, bool, error)
	now    func() time.Time
	logger *zap.Logger

	tracked time.Time // until then nothing is tracked, and tracks is not called
	budget  time.Duration
	counted time.Time // time of the last increase of the budget
	warned  bool
}

// of returns the server that a client's connection was sent to instead of the one that it asked for; ok is false if there is none, or
// if it is not known.
func (t *translations) of(e *bpf.ConnectionEvent, client, server netip.Addr) (to netip.AddrPort, ok bool) {
	// Conntrack forgets a connection when the reset comes that refuses it.
	if by := &e.RefusedBy; by.Port != 0 {
		return netip.AddrPortFrom(common.Addr(by.Address.Octets), by.Port), true
	}
	if t.own == 0 || common.Role(e.Role) != common.RoleClient || e.Flow.LocalPort == 0 || client.IsUnspecified() {
		return to, false
	}
	here := e.Netns == t.own
	// Traffic on the loopback interface does not reach the host's namespace.
	if !e.Hooked && (here || server.IsLoopback() || !t.tracksHere()) {
		return to, false
	}
	now := t.now()
	t.budget = min(t.budget+now.Sub(t.counted)/translationShare, translationBurst)
	t.counted = now
	if t.budget <= 0 {
		return to, false
	}
	defer func() { t.budget -= t.now().Sub(now) }()
	from, target := netip.AddrPortFrom(client, e.Flow.LocalPort), netip.AddrPortFrom(server, e.Flow.RemotePort)
	if here {
		return t.ask(0, 0, e.Transport, from, target)
	}
	if e.Hooked {
		if to, ok := t.ask(e.Netns, e.Owner.Pid, e.Transport, from, target); ok {
			return to, true
		}
	}
	if !t.tracksHere() {
		return to, false
	}
	return t.ask(0, 0, e.Transport, from, target)
}

// tracksHere reports whether connections are tracked in the receiver's own namespace.
func (t *translations) tracksHere() bool {
	now := t.now()
	if now.Before(t.tracked) {
		return false
	}
	if t.tracks() {
		return true
	}
	t.tracked = now.Add(trackingValid)
	return false
}

func (t *translations) ask(namespace, pid uint32, protocol uint8, client, server netip.AddrPort) (netip.AddrPort, bool) {
	to, ok, err := t.lookup(namespace, pid, protocol, client, server)
	if err != nil && !t.warned {
		t.warned = true
		t.logger.Warn("Cannot ask conntrack where connections are sent; events have no ebpf.connection.translated.address", zap.Error(err))
	}
	return to, ok
}
