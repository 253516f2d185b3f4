// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

func TestAnswerer(t *testing.T) {
	for _, tt := range []struct{ client, service, backend string }{
		{"10.0.0.7:40000", "10.96.0.10:80", "10.0.1.9:8080"},
		{"[fd00::7]:40000", "[fd00::10]:80", "[fd00::9]:8080"},
	} {
		client, service, backend := netip.MustParseAddrPort(tt.client), netip.MustParseAddrPort(tt.service), netip.MustParseAddrPort(tt.backend)
		message := func(answers netip.AddrPort) []byte {
			reply := tuple(unix.IPPROTO_TCP, answers, client)
			reply.RtAttr.Type = nl.CTA_TUPLE_REPLY | unix.NLA_F_NESTED
			return append(append([]byte{unix.AF_INET, 0, 0, 0}, tuple(unix.IPPROTO_TCP, client, service).Serialize()...), reply.Serialize()...)
		}
		to, ok := answerer(message(backend), client, service)
		assert.True(t, ok)
		assert.Equal(t, backend, to)

		_, ok = answerer(message(service), client, service)
		assert.False(t, ok, "it is not translated")
		_, ok = answerer(message(backend), client, backend)
		assert.False(t, ok, "it is another connection")
		whole := message(backend)
		for length := range whole {
			answerer(whole[:length], client, service) // it must not panic
		}
	}
}

func TestTranslatedOfNamespaceThatIsGone(t *testing.T) {
	client, server := netip.MustParseAddrPort("10.0.0.7:40000"), netip.MustParseAddrPort("10.96.0.10:80")
	_, ok, err := Translated(1, 1<<30, unix.IPPROTO_TCP, client, server)
	assert.NoError(t, err)
	assert.False(t, ok)
}
