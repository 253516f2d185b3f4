// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// BenchmarkAppendLog appends log records, as the reader of the ring buffer does.
func BenchmarkAppendLog(b *testing.B) {
	host := programtest.Host(b)
	p, batch := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	record := slow()
	b.ReportAllocs()
	for b.Loop() {
		if err := p.AppendLog(batch, record); err != nil {
			b.Fatal(err)
		}
		if batch.Room() == 0 {
			batch.Flush()
		}
	}
}
