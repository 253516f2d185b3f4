// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"net/netip"
	"strings"
)

// cacheSize bounds each cache of strings. A full cache is cleared, which costs a few allocations.
const cacheSize = 4096

// Names caches the strings of process and interface names, so that a repeated name needs no allocation.
type Names struct{ known map[string]string }

// NewNames returns an empty cache.
func NewNames() *Names { return &Names{known: map[string]string{}} }

// Get returns the text as a string. Names in the kernel may be any bytes. Invalid UTF-8, which OTLP does not allow, becomes
// U+FFFD.
func (n *Names) Get(text []byte) string {
	if s, ok := n.known[string(text)]; ok {
		return s
	}
	if len(n.known) >= cacheSize {
		clear(n.known)
	}
	s := string(text)
	valid := strings.ToValidUTF8(s, "\uFFFD")
	n.known[s] = valid
	return valid
}

// recentSize is a power of two: how many addresses are found without looking into the map.
const recentSize = 64

// Addresses caches the strings of IP addresses.
type Addresses struct {
	known map[netip.Addr]string
	// recent has the last address of each last octet, for those that repeat from event to event: looking into a map costs more.
	recent [recentSize]struct {
		address netip.Addr
		text    string
	}
}

// NewAddresses returns an empty cache.
func NewAddresses() *Addresses { return &Addresses{known: map[netip.Addr]string{}} }

// Get returns the address in its usual text form.
func (a *Addresses) Get(address netip.Addr) string {
	octets := address.As16()
	recent := &a.recent[octets[15]%recentSize]
	if recent.address != address || recent.text == "" {
		recent.address, recent.text = address, a.lookup(address)
	}
	return recent.text
}

func (a *Addresses) lookup(address netip.Addr) string {
	if s, ok := a.known[address]; ok {
		return s
	}
	if len(a.known) >= cacheSize {
		clear(a.known)
	}
	s := address.String()
	a.known[address] = s
	return s
}
