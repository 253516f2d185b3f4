// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	cgroupbpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/cgroup"
	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	connectionbpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	filebpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	packetdropbpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	runqueuebpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	tcpbpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/socket"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/tcp"
)

// Whatever is in the ring, it becomes a sound log record of the program that wrote it, or an error and nothing.
func FuzzAppendLog(f *testing.F) {
	connected := &connectionbpf.ConnectionEvent{Transport: 6, Role: 1}
	connected.Record.Program = 3
	local := &connectionbpf.ConnectionUnixEvent{Length: 300}
	local.Record.Program, local.Record.Event = 3, uint8(connectionbpf.ConnectionEventIdEVENT_CONNECT_UNIX)
	dropped := &packetdropbpf.PacketDropEvent{}
	dropped.Record.Program = 4
	reset := &tcpbpf.TCPEvent{}
	reset.Record.Program = 5
	deleted := &filebpf.FileEvent{}
	deleted.Record.Program = 7
	stall := &runqueuebpf.RunqueueEvent{Duration: 1}
	stall.Record.Program = 6
	made := &cgroupbpf.CgroupEvent{Id: 1 << 50}
	made.Record.Program = 2
	for _, record := range [][]byte{
		programtest.Bytes(connected), programtest.Bytes(local), programtest.Bytes(dropped), programtest.Bytes(reset), programtest.Bytes(stall), programtest.Bytes(deleted), programtest.Bytes(made),
	} {
		f.Add(record)
		f.Add(record[:len(record)-1])                                   // cut off
		f.Add(record[:common.RecordSize])                               // nothing but the header
		f.Add(append(slices.Clone(record), make([]byte, 64)...))        // longer than is known
		f.Add(append([]byte{record[0], 200}, record[2:]...))            // an event that is not known
		f.Add(append([]byte{1}, record[1:]...))                         // a program that writes none
		f.Add(append([]byte{uint8(common.MaxPrograms)}, record[1:]...)) // one that is not known
		f.Add(append([]byte{255}, record[1:]...))
	}
	f.Add([]byte(nil))
	f.Add(make([]byte, common.RecordSize-1))
	f.Add(make([]byte, common.RecordSize))

	host := programtest.Host(f)
	known := []program.Definition{socket.Definition, cgroup.Definition, connection.Definition, packetdrop.Definition, tcp.Definition, runqueue.Definition, file.Definition}
	set, b := program.SetOf(host, known...), programtest.NewBatch(host, true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = slices.Clone(raw) // aligned, as it is in the ring
		before := slices.Clone(raw)
		err := set.AppendLog(b, raw)
		require.Equal(t, before, raw, "the ring is only read")
		payload := b.Flush()
		require.Equal(t, payload.Count, payload.Logs.LogRecordCount())
		if err != nil {
			require.Zero(t, payload.Count, "log records in spite of: %v", err)
			require.Zero(t, payload.ByProgram)
			return
		}
		require.GreaterOrEqual(t, len(raw), common.RecordSize)
		require.LessOrEqual(t, int(raw[0]), len(known))
		require.NotEqual(t, uint8(1), raw[0], "program socket writes none")
		require.Equal(t, payload.Count, payload.ByProgram[raw[0]], "counted for the program that wrote it")
		programtest.AssertSound(t, payload.Logs)
	})
}
