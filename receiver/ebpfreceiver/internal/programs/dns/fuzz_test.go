// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"testing"
	"unsafe"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/dns"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// quiet lets a check run within the target, where f.Helper panics.
type quiet struct{ testing.TB }

func (quiet) Helper() {}

func FuzzAppendLog(f *testing.F) {
	s := newScene(f)
	// Events must be sound, too. They go to a batch of their own: no record makes a log record at once.
	events := programtest.NewBatch(s.host, true)
	s.host.Emit = func(appendLog func(*batch.Batch)) {
		appendLog(events)
		programtest.AssertSound(quiet{f}, events.Flush().Logs)
	}
	sizes := map[bpf.DNSEventId]uintptr{
		bpf.DNSEventIdEVENT_QUERY:  unsafe.Sizeof(bpf.DNSQuery{}),
		bpf.DNSEventIdEVENT_ANSWER: unsafe.Sizeof(bpf.DNSAnswer{}),
	}
	q := query(f, 1, `a\.b.test`, dns.TypeA)
	programtest.FuzzAppendLog(f, s.host, s.names, sizes,
		sentRecord(0, q), receivedRecord(1, reply(f, q, dns.RcodeSuccess, `a\.b.test. 5 IN CNAME c.test.`, "c.test. 5 IN A 192.0.2.1")),
		sentRecord(0, q, nobodys), receivedRecord(1, reply(f, q, dns.RcodeRefused)), receivedRecord(1<<50, nil),
		sentRecord(0, prefixed(q), tcp(5, 6)), receivedRecord(1, prefixed(reply(f, q, dns.RcodeNameError)), tcpAnswer(6)),
	)
}

// For any bytes, parse returns, and the names are valid UTF-8.
func FuzzParse(f *testing.F) {
	q := query(f, 1, "a.test", dns.TypeA)
	f.Add(q)
	f.Add(reply(f, q, dns.RcodeSuccess, "a.test. 5 IN A 192.0.2.1"))
	f.Add(append(q[:12:12], 0xc0, 12, 0, 1, 0, 1)) // a name that points to itself
	f.Add(append(q[:12:12], 0xc0, 0xff, 0, 1, 0, 1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, ok := parse(raw)
		if !ok {
			return
		}
		require.GreaterOrEqual(t, len(raw), headerSize)
		require.Equal(t, m.asks, m.question.name != "")
		for _, text := range []string{m.question.name, m.canonical, m.question.kindName(), codeName(m.code)} {
			for _, c := range []byte(text) {
				require.True(t, c >= ' ' && c <= '~', "%q", text)
			}
		}
	})
}
