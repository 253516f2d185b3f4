// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"testing"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// BenchmarkAppendLog converts records as the reader of the ring buffer does: one with 17 attributes, and one without a
// socket.
func BenchmarkAppendLog(b *testing.B) {
	for name, record := range map[string][]byte{
		"retransmit": event(eventRetransmit, v4, v4peer, again(bpf.TCPRetransmitRETRANSMIT_FAST, 1)),
		"nobodys":    event(resetSent, v4peer, v4, because(programtest.ResetNoSocket), nobodys(0)),
	} {
		b.Run(name, func(b *testing.B) {
			host := programtest.Host(b)
			p, batch := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
			b.ReportAllocs()
			for b.Loop() {
				if err := p.AppendLog(batch, record); err != nil {
					b.Fatal(err)
				}
				if batch.Room() == 0 {
					batch.Flush()
				}
			}
		})
	}
}
