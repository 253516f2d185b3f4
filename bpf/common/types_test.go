// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package common

import (
	"net/netip"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestView(t *testing.T) {
	want := Record{Program: 3, Event: 2, Cpu: 1, Sequence: 7, Time: 1_000_000_007}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&want)), RecordSize)
	for length := range RecordSize {
		_, ok := View[Record](raw[:length:length])
		require.False(t, ok, "%d bytes are too few", length)
	}
	_, ok := View[Record](nil)
	require.False(t, ok)

	got, ok := View[Record](raw)
	require.True(t, ok)
	assert.Equal(t, want, *got)
	assert.Same(t, &want, got, "it is not copied")

	longer := [2]Record{want, {Program: 4}}
	got, ok = View[Record](unsafe.Slice((*byte)(unsafe.Pointer(&longer)), 2*RecordSize))
	require.True(t, ok, "a record of a newer kind begins like one of an older")
	assert.Equal(t, want, *got)
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		in   []int8
		want string
	}{
		{nil, ""},
		{[]int8{0}, ""},
		{[]int8{'c', 'u', 'r', 'l', 0, 'x'}, "curl"},
		{[]int8{'c', 'u', 'r', 'l'}, "curl"},
		{[]int8{-61, -92, 0}, "ä"},
	} {
		assert.Equal(t, tt.want, string(Text(tt.in)))
	}
	name := [16]int8{'a', 'b'}
	assert.Zero(t, testing.AllocsPerRun(100, func() { Text(name[:]) }))
}

func TestAddr(t *testing.T) {
	for _, address := range []string{"10.0.0.5", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1", "::10.0.0.5"} {
		want := netip.MustParseAddr(address)
		got := Addr(want.As16())
		assert.Equal(t, want, got)
	}
	assert.Equal(t, "127.0.0.1", Addr(netip.MustParseAddr("::ffff:127.0.0.1").As16()).String(), "v4-mapped is IPv4")
}
