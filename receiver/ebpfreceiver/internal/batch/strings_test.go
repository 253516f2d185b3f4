// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	n := NewNames()
	text := []byte("nginx")
	first := n.Get(text)
	copy(text, "hacks")
	assert.Equal(t, "nginx", first, "the string must not share the ring's bytes")
	assert.Equal(t, "hacks", n.Get(text))
	assert.Empty(t, n.Get(nil))
	for range 2 {
		assert.Equal(t, "caf\uFFFD", n.Get([]byte("caf\xe9")), "OTLP's strings are UTF-8")
	}
	assert.Equal(t, "café", n.Get([]byte("café")))
	assert.Zero(t, testing.AllocsPerRun(100, func() { n.Get(text) }))
}

func TestAddresses(t *testing.T) {
	a := NewAddresses()
	assert.Equal(t, "invalid IP", a.Get(netip.Addr{}))
	for range 2 { // some of them end in the same octet
		for _, text := range []string{"10.0.0.5", "10.0.1.5", "::1", "2001:db8::1", "fe80::1%eth0", "fe80::1%eth1", "0.0.0.1", "0.0.0.0", "::"} {
			for range 2 {
				assert.Equal(t, text, a.Get(netip.MustParseAddr(text)))
			}
		}
	}
	known := netip.MustParseAddr("2001:db8::1")
	assert.Zero(t, testing.AllocsPerRun(100, func() { a.Get(known) }))
}

// Addresses come from outside: a sender with many addresses must not fill the memory.
func TestCachesAreBounded(t *testing.T) {
	names, addresses := NewNames(), NewAddresses()
	for i := range 3*cacheSize + 1 {
		require.Equal(t, strconv.Itoa(i), names.Get([]byte(strconv.Itoa(i))))
		address := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(i))))
		require.Equal(t, address.String(), addresses.Get(address))
		require.LessOrEqual(t, len(names.known), cacheSize)
		require.LessOrEqual(t, len(addresses.known), cacheSize)
	}
}
