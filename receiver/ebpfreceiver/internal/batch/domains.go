// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

const (
	// maxDomains bounds the entries. If more are valid at once, all are forgotten.
	maxDomains = 32768
	// minValid and maxValid bound how long a name is remembered. Processes connect some time after the look-up, and often use an
	// address longer than its TTL allows.
	minValid, maxValid = time.Minute, 24 * time.Hour
)

// Domains has the domain names that processes have looked up, by the addresses in the answers.
type Domains struct {
	known map[resolved]domain
}

// resolved is an address that a process got. The executable is part of it because the kernel reuses pids.
type resolved struct {
	pid        uint32
	executable [48]int8
	address    netip.Addr
}

// domain is the name of an address. Times are kernel times (ns).
type domain struct {
	name string
	// until is when the name expires.
	until uint64
	// ambiguous is when the last other name of the address expires.
	ambiguous uint64
}

// NewDomains returns an empty set.
func NewDomains() *Domains { return &Domains{known: map[resolved]domain{}} }

// Learn records that a process has looked up a name and got an address, at a time, and how long the answer is valid.
func (d *Domains) Learn(owner *common.Owner, name string, address netip.Addr, at uint64, valid time.Duration) {
	if owner.Pid == 0 || name == "" {
		return
	}
	if len(d.known) >= maxDomains {
		d.makeRoom(at)
	}
	key := resolved{owner.Pid, owner.Executable, address}
	next := domain{name: name, until: at + uint64(min(max(valid, minValid), maxValid))}
	last, ok := d.known[key]
	switch {
	case !ok || last.until < at:
	case strings.EqualFold(last.name, name):
		next.until, next.ambiguous = max(next.until, last.until), last.ambiguous
	case last.until > next.until:
		last.ambiguous = max(last.ambiguous, next.until)
		next = last
	default:
		next.ambiguous = max(last.ambiguous, last.until)
	}
	d.known[key] = next
}

// makeRoom drops the expired entries, or all entries if none has expired.
func (d *Domains) makeRoom(now uint64) {
	maps.DeleteFunc(d.known, func(_ resolved, one domain) bool { return one.until < now })
	if len(d.known) >= maxDomains {
		clear(d.known)
	}
}

// Get returns the name that a process has looked up for an address, "" if at that time there is none, or more than one.
func (d *Domains) Get(owner *common.Owner, address netip.Addr, at uint64) string {
	if owner.Pid == 0 || len(d.known) == 0 {
		return ""
	}
	one := d.known[resolved{owner.Pid, owner.Executable, address}]
	if one.until < at || one.ambiguous >= at {
		return ""
	}
	return one.name
}
