// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	seeds := [][]byte{
		event(eventRetransmit, v4, v4peer, again(bpf.TCPRetransmitRETRANSMIT_FAST, 3)),
		event(eventRetransmit, v4, v4peer, again(250, 1<<31), in(250, 250)),
		event(resetSent, v6, v6peer, because(1<<31), nobodys(0)),
		event(resetReceived, v4, v4peer, inCgroup(programtest.Database)),
		event(250, v4, v4peer),
		nil,
	}
	for _, record := range programtest.Recorded(f) {
		seeds = append(seeds, record)
	}
	for _, seed := range seeds {
		f.Add(seed)
		f.Add(append(slices.Clone(seed), make([]byte, 40)...)) // longer than is known
		f.Add(seed[:len(seed)/2])
	}
	host := programtest.Host(f)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 0 {
			raw[0] = uint8(bpf.SocketProgramIdPROGRAM_TCP) // others do not get here
		}
		err := p.AppendLog(b, raw)
		logs := b.Seal().Logs
		if err != nil {
			if n := logs.LogRecordCount(); n != 0 {
				t.Fatalf("%d log records in spite of: %v", n, err)
			}
			return
		}
		if size := int(unsafe.Sizeof(bpf.TCPEvent{})); len(raw) < size {
			t.Fatalf("%d bytes were taken for a record of %d", len(raw), size)
		}
		if raw[1] > resetReceived {
			t.Fatalf("event %d was taken for one that is known", raw[1])
		}
		programtest.AssertSound(t, logs)
	})
}
