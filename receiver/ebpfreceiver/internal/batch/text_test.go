// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"math"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAppendEndpoint(t *testing.T) {
	b := New(settings())
	for _, tt := range []struct {
		address string
		port    uint16
		want    string
	}{
		{"10.0.0.5", 443, "10.0.0.5:443"},
		{"10.0.0.5", 0, "10.0.0.5"},
		{"0.0.0.0", 65535, "0.0.0.0:65535"},
		{"::1", 443, "[::1]:443"},
		{"2001:db8::1", 0, "[2001:db8::1]"},
	} {
		assert.Equal(t, "to "+tt.want, string(b.AppendEndpoint([]byte("to "), netip.MustParseAddr(tt.address), tt.port)))
	}
}

func TestAppendEndpointOn(t *testing.T) {
	b := New(settings())
	for _, tt := range []struct{ address, networkInterface, want string }{
		{"fe80::1", "eth0", "[fe80::1%eth0]:443"},
		{"ff02::fb", "eth0", "[ff02::fb%eth0]:443"},
		{"ff01::1", "lo", "[ff01::1%lo]:443"},
		{"fe80::1", "", "[fe80::1]:443"},
		{"fd00::1", "eth0", "[fd00::1]:443"},
		{"169.254.0.1", "eth0", "169.254.0.1:443"}, // IPv4 has no form for it
	} {
		have := b.AppendEndpointOn([]byte("to "), netip.MustParseAddr(tt.address), 443, []byte(tt.networkInterface))
		assert.Equal(t, "to "+tt.want, string(have))
	}
}

func TestAppendDuration(t *testing.T) {
	for ns, want := range map[uint64]string{
		0:                 "0 ns",
		1:                 "1 ns",
		999:               "999 ns",
		1_000:             "1.0 µs",
		1_099:             "1.0 µs",
		1_100:             "1.1 µs",
		999_999:           "999.9 µs",
		1_000_000:         "1.0 ms",
		1_234_567:         "1.2 ms",
		999_999_999:       "999.9 ms",
		1_000_000_000:     "1.0 s",
		127_500_000_000:   "127.5 s",
		3_600_000_000_000: "3600.0 s",
		math.MaxUint64:    "18446744073.7 s",
	} {
		assert.Equal(t, "after "+want, string(AppendDuration([]byte("after "), ns)))
	}
}

func TestAppendBytes(t *testing.T) {
	for bytes, want := range map[uint64]string{
		0:              "0 B",
		999:            "999 B",
		1_000:          "1.0 kB",
		5_355:          "5.3 kB",
		999_999:        "999.9 kB",
		1_000_000:      "1.0 MB",
		999_999_999:    "999.9 MB",
		1_000_000_000:  "1.0 GB",
		math.MaxUint64: "18446744073.7 GB",
	} {
		assert.Equal(t, want, string(AppendBytes(nil, bytes)))
	}
}

func TestTextAllocatesNothing(t *testing.T) {
	b := New(settings())
	address := netip.MustParseAddr("2001:db8::1")
	text := make([]byte, 0, 256)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		text = AppendBytes(AppendDuration(b.AppendEndpoint(text[:0], address, 443), 1_200_000), 5300)
	}))
}
