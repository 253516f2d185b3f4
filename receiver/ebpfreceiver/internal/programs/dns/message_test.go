// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A truncated message has the parts before the cut.
func TestParseOfCutMessages(t *testing.T) {
	q := query(t, 1, "a.test", dns.TypeA)
	whole := reply(t, q, dns.RcodeSuccess, "a.test. 60 IN CNAME b.test.", "b.test. 30 IN A 192.0.2.1", "b.test. 20 IN A 192.0.2.2")
	seen := map[int]bool{}
	for size := range len(whole) + 1 {
		m, ok := parse(whole[:size])
		if size < len(q) {
			assert.Equal(t, size == headerSize, ok, "%d bytes", size)
			continue
		}
		require.True(t, ok, "%d bytes", size)
		assert.Equal(t, question{name: "a.test", kind: dns.TypeA, class: dns.ClassINET}, m.question)
		assert.LessOrEqual(t, len(m.addresses), m.records)
		seen[m.records] = true
	}
	assert.Equal(t, map[int]bool{0: true, 1: true, 2: true, 3: true}, seen)
	m, _ := parse(whole)
	assert.Equal(t, "b.test", m.canonical)
	assert.EqualValues(t, 20, m.ttl)
}

func TestCodeName(t *testing.T) {
	for code, want := range map[int]string{0: "noerror", 2: "servfail", 3: "nxdomain", 4: "notimp", 16: "badvers", 23: "badcookie", 4095: "rcode4095"} {
		assert.Equal(t, want, codeName(code))
	}
}
