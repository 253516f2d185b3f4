// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Types of Ethernet frames.
const (
	TypeIPv4      = 0x0800
	TypeARP       = 0x0806
	TypeVLAN      = 0x8100
	TypeIPv6      = 0x86dd
	TypeOuterVLAN = 0x88a8
)

// IPv6 extension header numbers.
const (
	HeaderHopByHop       = 0
	HeaderRouting        = 43
	HeaderFragment       = 44
	HeaderAuthentication = 51
	HeaderDestination    = 60
)

// Ethernet returns a frame.
func Ethernet(kind uint16, payload ...[]byte) []byte {
	frame := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	return slices.Concat(append([][]byte{binary.BigEndian.AppendUint16(frame, kind)}, payload...)...)
}

// VLAN returns a tag with priority 5, followed by the payload.
func VLAN(id, kind uint16, payload ...[]byte) []byte {
	tag := binary.BigEndian.AppendUint16(nil, 5<<13|id)
	return slices.Concat(append([][]byte{binary.BigEndian.AppendUint16(tag, kind)}, payload...)...)
}

// IPv4 returns a packet. fragment is the field with flags and offset. The length of options must be a multiple of four.
func IPv4(from, to netip.Addr, ttl, protocol uint8, fragment uint16, options []byte, payload ...[]byte) []byte {
	rest := slices.Concat(payload...)
	h := make([]byte, 12, 20+len(options)+len(rest))
	h[0] = 4<<4 | uint8(5+len(options)/4)
	binary.BigEndian.PutUint16(h[2:], uint16(cap(h)))
	binary.BigEndian.PutUint16(h[6:], fragment)
	h[8], h[9] = ttl, protocol
	return slices.Concat(h, from.AsSlice(), to.AsSlice(), options, rest)
}

// IPv6 returns a packet. first is the number of its first header.
func IPv6(from, to netip.Addr, hopLimit, first uint8, headers ...[]byte) []byte {
	rest := slices.Concat(headers...)
	h := []byte{6 << 4, 0, 0, 0, 0, 0, first, hopLimit}
	binary.BigEndian.PutUint16(h[4:], uint16(len(rest)))
	return slices.Concat(h, from.AsSlice(), to.AsSlice(), rest)
}

// Extension returns an IPv6 extension header. units is its length field: the number of additional 8-byte units, or 4-byte
// units in an authentication header.
func Extension(next, units uint8, bytes int) []byte {
	h := make([]byte, bytes)
	h[0], h[1] = next, units
	return h
}

// Fragment returns an IPv6 fragment header. offset is the field with offset and flag.
func Fragment(next uint8, offset uint16) []byte {
	return []byte{next, 0, uint8(offset >> 8), uint8(offset), 0, 0, 0, 1}
}

// Ports returns a UDP header.
func Ports(from, to uint16) []byte {
	h := binary.BigEndian.AppendUint16(nil, from)
	return append(binary.BigEndian.AppendUint16(h, to), 0, 8, 0, 0)
}

// Segment returns a TCP header.
func Segment(from, to uint16, flags uint8) []byte {
	h := binary.BigEndian.AppendUint16(nil, from)
	h = binary.BigEndian.AppendUint16(h, to)
	return append(h, 0, 0, 0, 1, 0, 0, 0, 2, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
}
