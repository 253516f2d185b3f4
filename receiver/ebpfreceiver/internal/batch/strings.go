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

// Addresses caches the strings of IP addresses.
type Addresses struct{ known map[netip.Addr]string }

// NewAddresses returns an empty cache.
func NewAddresses() *Addresses { return &Addresses{known: map[netip.Addr]string{}} }

// Get returns the address in its usual text form.
func (a *Addresses) Get(address netip.Addr) string {
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
