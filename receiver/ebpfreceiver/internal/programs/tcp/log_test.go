// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"net/netip"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const (
	v4, v4peer = "10.0.0.9:51234", "10.0.0.5:443"
	v6, v6peer = "[2001:db8::9]:51234", "[2001:db8::5]:443"

	established, closeState = 1, 7
)

// event returns the record of a client's established connection, owned by a process of the host, changed by set.
func event(id uint8, local, remote string, set ...func(*bpf.TCPEvent)) []byte {
	e := &bpf.TCPEvent{Reason: noReason, Netns: 4026531840, Cookie: 4711, Role: roleClient, State: established}
	e.Record.Program = programtest.Number
	e.Record.Event = id
	e.Record.Time = uint64(programtest.Start) + 1
	from, to := netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	e.Flow.Local.Octets, e.Flow.LocalPort = from.Addr().As16(), from.Port()
	e.Flow.Remote.Octets, e.Flow.RemotePort = to.Addr().As16(), to.Port()
	owned(programtest.Service)(e)
	for _, change := range set {
		change(e)
	}
	return programtest.Bytes(e)
}

func chars(s []int8) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)) }

func owned(cgroup uint64) func(*bpf.TCPEvent) {
	return func(e *bpf.TCPEvent) {
		e.Owner.Pid, e.Owner.Uid, e.Owner.Cgroup = 100, 33, cgroup
		copy(chars(e.Owner.Comm[:]), "nginx")
		copy(chars(e.Owner.Executable[:]), "nginx")
		e.Attribution = uint8(common.AttributionSocket)
	}
}

// inCgroup is a connection whose socket has only a known cgroup.
func inCgroup(cgroup uint64) func(*bpf.TCPEvent) {
	return func(e *bpf.TCPEvent) {
		e.Owner = bpf.TCPEvent{}.Owner
		e.Owner.Cgroup, e.Attribution = cgroup, uint8(common.AttributionCgroup)
	}
}

// nobodys is a segment without a socket. role is that of this host's end.
func nobodys(role uint8) func(*bpf.TCPEvent) {
	return func(e *bpf.TCPEvent) {
		e.Owner = bpf.TCPEvent{}.Owner
		e.Attribution, e.Cookie, e.State, e.Role = 0, 0, 0, role
	}
}

func again(why bpf.TCPRetransmit, segments uint32) func(*bpf.TCPEvent) {
	return func(e *bpf.TCPEvent) { e.Retransmit, e.Segments = uint8(why), segments }
}

func because(reason uint32) func(*bpf.TCPEvent) {
	return func(e *bpf.TCPEvent) { e.Reason = reason }
}

func in(state, role uint8) func(*bpf.TCPEvent) {
	return func(e *bpf.TCPEvent) { e.State, e.Role = state, role }
}

func TestAppendLogGolden(t *testing.T) {
	for file, records := range map[string][][]byte{
		"retransmits.yaml": {
			event(eventRetransmit, v4, v4peer, again(bpf.TCPRetransmitRETRANSMIT_SYN, 1), in(2, roleClient)),
			event(eventRetransmit, v4peer, v4, again(bpf.TCPRetransmitRETRANSMIT_SYN_ACK, 1), in(12, roleServer)),
			event(eventRetransmit, v6, v6peer, again(bpf.TCPRetransmitRETRANSMIT_FAST, 3), owned(programtest.Web)),
			event(eventRetransmit, v4, v4peer, again(bpf.TCPRetransmitRETRANSMIT_TIMEOUT, 1), inCgroup(programtest.Database)),
			event(eventRetransmit, v4, v4peer, again(bpf.TCPRetransmitRETRANSMIT_TAIL_LOSS_PROBE, 1)),
			event(eventRetransmit, v4, v4peer, again(bpf.TCPRetransmitRETRANSMIT_UNKNOWN, 1)),
		},
		"resets.yaml": {
			event(resetSent, v4, v4peer, because(programtest.ResetAbortOnClose), in(closeState, roleClient)),
			event(resetSent, v6peer, v6, because(programtest.ResetNoSocket), nobodys(roleServer)),
			event(resetSent, v4peer, v4, because(programtest.ResetNoSocket), nobodys(0)),
			event(resetSent, v4, v4peer, because(77)), // unknown to the BTF
			event(resetSent, v4, v4peer), // a kernel without reset reasons
			event(resetReceived, v4, v4peer, in(2, roleClient)),
			event(resetReceived, v6peer, v6, in(8, roleServer), owned(programtest.Web)),
		},
	} {
		t.Run(file, func(t *testing.T) {
			host := programtest.Host(t)
			p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
			for _, record := range records {
				require.NoError(t, p.AppendLog(b, record))
			}
			logs := b.Flush().Logs
			programtest.AssertSound(t, logs)
			programtest.CompareLogs(t, file, logs)
		})
	}
}

func TestAppendLogWithoutBody(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, false)
	require.NoError(t, p.AppendLog(b, event(resetReceived, v4, v4peer)))
	assert.Empty(t, b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().AsString())
}

func TestAppendLogOfBadRecords(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	record := event(resetReceived, v4, v4peer)
	require.EqualError(t, p.AppendLog(b, record[:20]), "tcp record of 20 bytes is too short")
	require.EqualError(t, p.AppendLog(b, event(3, v4, v4peer)), "tcp record of unknown event 3")
	assert.Zero(t, b.Flush().Logs.LogRecordCount())
}

// A record has at most as many attributes as room is reserved for.
func TestAppendLogAttributes(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	require.NoError(t, p.AppendLog(b, event(eventRetransmit, v4, v4peer, again(bpf.TCPRetransmitRETRANSMIT_FAST, 1))))
	lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	assert.Equal(t, 17, lr.Attributes().Len())
}

func TestReasons(t *testing.T) {
	r := reasonsOf(programtest.BTF(t, 4))
	assert.Equal(t, "no_socket", r.name(programtest.ResetNoSocket))
	assert.Equal(t, "not_specified", r.name(programtest.ResetNotSpecified))
	assert.Equal(t, "12", r.name(12))
	assert.Empty(t, r.name(noReason))
	assert.Equal(t, "1", reasonsOf(programtest.BTF(t, 2)).name(1), "a kernel without the enumeration")
}

// The constants of the BPF side have the numbers of arguments of the tracepoints.
func TestVariables(t *testing.T) {
	p := newProgram(defaultConfig(), programtest.Host(t))
	variables := p.Variables()
	assert.Equal(t, uint32(100_000), variables[bpf.TCPVarRttInterval], "µs")
	assert.Equal(t, uint32(2), variables[bpf.TCPVarResetArguments], "a kernel without this tracepoint's type")
	assert.Equal(t, uint32(2), variables[bpf.TCPVarRetransmitArguments])
}

func TestEvents(t *testing.T) {
	host := programtest.Host(t)
	assert.Equal(t, uint32(0b111), newProgram(defaultConfig(), host).Events())
	host.Events.EbpfTCPReset.Enabled = false
	assert.Equal(t, uint32(0b001), newProgram(defaultConfig(), host).Events())
	host.Events.EbpfTCPReset.Enabled, host.Events.EbpfTCPRetransmit.Enabled = true, false
	assert.Equal(t, uint32(0b110), newProgram(defaultConfig(), host).Events())
}
