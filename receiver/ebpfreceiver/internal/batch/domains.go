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
	// maxDomains bounds the names. If there are more, those that are still valid are forgotten, too.
	maxDomains = 32768
	// minValid is how long a name is remembered at least: processes connect some time after they have looked up a name, and keep
	// addresses longer than they should. maxValid is the most.
	minValid, maxValid = time.Minute, 24 * time.Hour
)

// Domains are the names that processes have looked up, by the addresses in the answers.
type Domains struct {
	known map[resolved]domain
}

// resolved is an address that a process knows. The executable is there because ids of processes are used again.
type resolved struct {
	pid        uint32
	executable [48]int8
	address    netip.Addr
}

// domain is the name that leads to an address. Times are those of the kernel.
type domain struct {
	name  string
	until uint64
	// ambiguous is until when another name leads there, too.
	ambiguous uint64
}

// NewDomains returns an empty set.
func NewDomains() *Domains { return &Domains{known: map[resolved]domain{}} }

// Learn remembers that a process has looked up a name at that time and got an address, and how long the answer is valid.
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

// makeRoom forgets what is not valid any more, or everything.
func (d *Domains) makeRoom(now uint64) {
	maps.DeleteFunc(d.known, func(_ resolved, one domain) bool { return one.until < now })
	if len(d.known) >= maxDomains {
		clear(d.known)
	}
}

// Get returns the name by which a process knows an address at that time, "" if there is none, or more than one.
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
