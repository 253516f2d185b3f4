// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"net/netip"
	"strconv"
)

// AppendEndpoint appends an address and port, as in "10.0.0.5:443" or "[::1]:443".
func (b *Batch) AppendEndpoint(text []byte, address netip.Addr, port uint16) []byte {
	return b.AppendEndpointOn(text, address, port, nil)
}

// AppendEndpointOn appends an address and port with the network interface of a link-local address, as in "[fe80::1%eth0]:443".
func (b *Batch) AppendEndpointOn(text []byte, address netip.Addr, port uint16, networkInterface []byte) []byte {
	if address.Is6() {
		text = append(text, '[')
		text = append(text, b.Addresses.Get(address)...)
		if len(networkInterface) > 0 && isLinkLocal(address) {
			text = append(append(text, '%'), networkInterface...)
		}
		text = append(text, ']')
	} else {
		text = append(text, b.Addresses.Get(address)...)
	}
	if port == 0 {
		return text
	}
	text = append(text, ':')
	return strconv.AppendUint(text, uint64(port), 10)
}

func isLinkLocal(a netip.Addr) bool {
	return a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsInterfaceLocalMulticast()
}

// AppendDuration appends nanoseconds in the unit that suits them, as in "1.2 ms".
func AppendDuration(text []byte, ns uint64) []byte {
	switch {
	case ns < 1e3:
		return append(strconv.AppendUint(text, ns, 10), " ns"...)
	case ns < 1e6:
		return append(appendTenths(text, ns, 1e3), " µs"...)
	case ns < 1e9:
		return append(appendTenths(text, ns, 1e6), " ms"...)
	default:
		return append(appendTenths(text, ns, 1e9), " s"...)
	}
}

// AppendBytes appends a number of bytes in the unit that suits it, as in "5.3 kB".
func AppendBytes(text []byte, bytes uint64) []byte {
	switch {
	case bytes < 1e3:
		return append(strconv.AppendUint(text, bytes, 10), " B"...)
	case bytes < 1e6:
		return append(appendTenths(text, bytes, 1e3), " kB"...)
	case bytes < 1e9:
		return append(appendTenths(text, bytes, 1e6), " MB"...)
	default:
		return append(appendTenths(text, bytes, 1e9), " GB"...)
	}
}

// appendTenths appends value/unit, cut to one digit behind the point.
func appendTenths(text []byte, value, unit uint64) []byte {
	text = strconv.AppendUint(text, value/unit, 10)
	text = append(text, '.')
	return append(text, '0'+byte(value%unit/(unit/10)))
}
