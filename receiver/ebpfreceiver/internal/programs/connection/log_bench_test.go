// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"net/netip"
	"syscall"
	"testing"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// BenchmarkAppendLog converts records as the reader of the ring buffer does. A failed connect is an event with 16 attributes.
// The goal for it is at most 1.5 µs and 24 allocations.
func BenchmarkAppendLog(b *testing.B) {
	const here, there = "10.0.0.9:51234", "10.0.0.5:443"
	for name, records := range map[string][][]byte{
		"refused_16_attributes": ports(here, there, connect, errno(syscall.ECONNREFUSED)),
		"connect":               ports(here, there, connect),
		"accept":                ports(there, here, accept, server),
		"close":                 ports(here, there, closed, totals),
		"ipv6_close":            ports("[2001:db8::9]:51234", "[2001:db8::5]:443", closed, totals),
		"in_a_container":        ports(here, there, connect, web),
	} {
		b.Run(name, func(b *testing.B) { benchmark(b, records, true) })
		b.Run(name+"_without_body", func(b *testing.B) { benchmark(b, records, false) })
	}
}

// ports returns records with different client ports, like those of different connections.
func ports(local, remote string, id bpf.ConnectionEventId, set ...func(*bpf.ConnectionEvent)) (records [][]byte) {
	for i := range uint16(256) {
		records = append(records, event(id, local, remote, append(set, func(e *bpf.ConnectionEvent) {
			if e.Role == roleServer {
				e.Flow.RemotePort += i
			} else {
				e.Flow.LocalPort += i
			}
			e.Cookie += uint64(i)
		})...))
	}
	return records
}

// BenchmarkAppendLogOfManyPeers gives each record another address, more than the cache of address strings holds.
func BenchmarkAppendLogOfManyPeers(b *testing.B) {
	address := netip.MustParseAddr("10.0.0.0")
	var records [][]byte
	for range 1 << 14 {
		address = address.Next()
		records = append(records, event(connect, "10.0.0.9:51234", netip.AddrPortFrom(address, 443).String()))
	}
	benchmark(b, records, true)
}

func benchmark(b *testing.B, records [][]byte, body bool) {
	host := programtest.Host(b)
	p, batch := newProgram(defaultConfig(), host), programtest.NewBatch(host, body)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := p.AppendLog(batch, records[i%len(records)]); err != nil {
			b.Fatal(err)
		}
		if i++; batch.Room() == 0 {
			batch.Flush()
		}
	}
}
