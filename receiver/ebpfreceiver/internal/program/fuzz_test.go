// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/cgroup"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/socket"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/tcp"
)

// Whatever is in the ring, it becomes a sound log record of the program that wrote it, or an error and nothing.
func FuzzAppendLog(f *testing.F) {
	connected := &bpf.ConnectionEvent{Transport: 6, Role: 1}
	connected.Record.Program = connection.Definition.ID
	local := &bpf.ConnectionUnixEvent{Length: 300}
	local.Record.Program, local.Record.Event = connection.Definition.ID, uint8(bpf.ConnectionEventIdEVENT_CONNECT_UNIX)
	dropped := &bpf.PacketDropEvent{}
	dropped.Record.Program = packetdrop.Definition.ID
	reset := &bpf.TCPEvent{}
	reset.Record.Program = tcp.Definition.ID
	deleted := &bpf.FileEvent{}
	deleted.Record.Program = file.Definition.ID
	stall := &bpf.RunqueueEvent{Duration: 1}
	stall.Record.Program = runqueue.Definition.ID
	made := &bpf.CgroupEvent{Id: 1 << 50}
	made.Record.Program = cgroup.Definition.ID
	for _, record := range [][]byte{
		programtest.Bytes(connected), programtest.Bytes(local), programtest.Bytes(dropped), programtest.Bytes(reset), programtest.Bytes(stall), programtest.Bytes(deleted), programtest.Bytes(made),
	} {
		f.Add(record)
		f.Add(record[:len(record)-1])                               // cut off
		f.Add(record[:bpf.RecordSize])                              // nothing but the header
		f.Add(append(slices.Clone(record), make([]byte, 64)...))    // longer than is known
		f.Add(append([]byte{record[0], 200}, record[2:]...))        // an event that is not known
		f.Add(append([]byte{socket.Definition.ID}, record[1:]...))  // a program that writes none
		f.Add(append([]byte{uint8(bpf.ProgramMax)}, record[1:]...)) // one that is not known
		f.Add(append([]byte{255}, record[1:]...))
	}
	f.Add([]byte(nil))
	f.Add(make([]byte, bpf.RecordSize-1))
	f.Add(make([]byte, bpf.RecordSize))

	host := programtest.Host(f)
	known := []program.Definition{socket.Definition, cgroup.Definition, connection.Definition, packetdrop.Definition, tcp.Definition, runqueue.Definition, file.Definition}
	set, b := program.SetOf(host, known...), programtest.NewBatch(host, true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = slices.Clone(raw) // aligned, as it is in the ring
		before := slices.Clone(raw)
		err := set.AppendLog(b, raw)
		require.Equal(t, before, raw, "the ring is only read")
		sealed := b.Seal()
		require.Equal(t, sealed.Count, sealed.Logs.LogRecordCount())
		if err != nil {
			require.Zero(t, sealed.Count, "log records in spite of: %v", err)
			require.Zero(t, sealed.ByProgram)
			return
		}
		require.GreaterOrEqual(t, len(raw), bpf.RecordSize)
		require.True(t, slices.ContainsFunc(known, func(d program.Definition) bool { return d.ID == raw[0] }), "program %d", raw[0])
		require.NotEqual(t, socket.Definition.ID, raw[0])
		require.Equal(t, sealed.Count, sealed.ByProgram[raw[0]], "counted for the program that wrote it")
		programtest.AssertSound(t, sealed.Logs)
	})
}
