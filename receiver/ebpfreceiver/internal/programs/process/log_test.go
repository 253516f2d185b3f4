// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/process"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// created is the creation time of processes (CLOCK_BOOTTIME).
const created = uint64(programtest.Start) - 1_999_999

func header[R any](record *R, owner *common.Owner, event bpf.ProcessEventId, cgroup uint64) {
	r := (*common.Record)(unsafe.Pointer(record))
	r.Program, r.Event, r.Time = programtest.Number, uint8(event), uint64(programtest.Start)+1
	owner.Pid, owner.Uid, owner.Cgroup = 4242, 33, cgroup
	copy(chars(owner.Comm[:]), "backup")
	copy(chars(owner.Executable[:]), "bash")
}

// execution returns the record of an exec. names are those of the path, as the BPF side writes them.
func execution(cgroup uint64, names, script string) []byte {
	e := &bpf.ProcessExecEvent{Parent: 77, PathLength: uint32(len(names)), Start: created, ArgumentCount: 3}
	header(e, common.OwnerOf(&e.Owner), bpf.ProcessEventIdEVENT_EXEC, cgroup)
	copy(chars(e.Path[:]), names)
	copy(chars(e.Script[:]), script)
	return programtest.Bytes(e)
}

// withArguments returns the record of an exec with arguments. more is how many bytes of them do not fit.
func withArguments(text string, more int) []byte {
	raw := append([]byte(nil), execution(0, "bash\x00bin\x00", "")...)
	raw[1] = uint8(bpf.ProcessEventIdEVENT_EXEC_ARGUMENTS)
	a := &bpf.ProcessArguments{Length: uint32(len(text)), Total: uint32(len(text) + more)}
	copy(chars(a.Text[:]), text)
	return append(raw, programtest.Bytes(a)...)
}

func exit(cgroup uint64, status uint32, duration uint64) []byte {
	e := &bpf.ProcessEvent{Parent: 77, Status: status, Duration: duration, Start: created}
	header(e, common.OwnerOf(&e.Owner), bpf.ProcessEventIdEVENT_EXIT, cgroup)
	return programtest.Bytes(e)
}

// inNamespace changes a record to a process in a PID namespace.
func inNamespace(raw []byte, vpid uint32) []byte {
	if bpf.ProcessEventId(raw[1]) == bpf.ProcessEventIdEVENT_EXIT {
		(*bpf.ProcessEvent)(unsafe.Pointer(&raw[0])).Vpid = vpid
	} else {
		(*bpf.ProcessExecEvent)(unsafe.Pointer(&raw[0])).Vpid = vpid
	}
	return raw
}

func TestAppendLogGolden(t *testing.T) {
	for file, records := range map[string][][]byte{
		"exec.yaml": {
			execution(programtest.Service, "bash\x00bin\x00usr\x00", ""),
			execution(programtest.WebChild, "bash\x00bin\x00usr\x00", "/etc/cron.daily/backup"),
			execution(0, "memfd:x\x00", ""),
			execution(0, "", ""), // too long
			withArguments("bash\x00-c\x00\x00a b\x00", 0),
			withArguments("bash\x00secr", 9),
			withArguments("\x00", 0),
			withArguments("x\x00\xff\xfe\x00", 0),
			withArguments("", 0),
			withArguments("", 5), // unreadable
			inNamespace(execution(programtest.Web, "bash\x00", ""), 7),
			inNamespace(execution(programtest.Web, "bash\x00", ""), 4242), // the same id by chance
		},
		"exit.yaml": {
			exit(programtest.Service, 0, 1_200_000),
			exit(programtest.Database, 7<<8, 1_500_000_000),
			exit(0, 255<<8, 0),
			exit(0, 9, 20_000),
			exit(0, 11|0x80, 20_000), // with a core dump
			exit(0, 34, 20_000),
			inNamespace(exit(programtest.Web, 0, 20_000), 7),
		},
	} {
		t.Run(file, func(t *testing.T) {
			host := programtest.Host(t)
			p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
			for _, record := range records {
				require.NoError(t, p.AppendLog(b, record))
			}
			payload := b.Flush()
			assert.Equal(t, len(records), payload.ByProgram[programtest.Number])
			programtest.CompareLogs(t, file, payload.Logs)
		})
	}
}

func TestAppendLogWithoutBody(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, false)
	require.NoError(t, p.AppendLog(b, execution(0, "sh\x00", "")))
	require.NoError(t, p.AppendLog(b, exit(0, 0, 1)))
	for _, lr := range b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		assert.Empty(t, lr.Body().AsString())
	}
}

func TestAppendLogRefuses(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	for _, whole := range [][]byte{execution(0, "sh\x00", ""), withArguments("sh\x00", 0), exit(0, 0, 1)} {
		for length := range whole {
			require.ErrorContains(t, p.AppendLog(b, whole[:length:length]), "record of")
		}
	}
	unknown := exit(0, 0, 1)
	unknown[1] = 9
	require.ErrorContains(t, p.AppendLog(b, unknown), "unknown event 9")
	assert.Zero(t, b.Len())
}

func TestSignalNames(t *testing.T) {
	for signal, want := range map[uint8]string{1: "SIGHUP", 9: "SIGKILL", 15: "SIGTERM", 31: "SIGSYS", 32: "SIG32", 64: "SIG64", 0: "SIG0"} {
		assert.Equal(t, want, signalName(signal))
	}
}
