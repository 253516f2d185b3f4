// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// drop returns the record of a packet between two hosts that was dropped for lack of a socket, changed by set.
func drop(protocol uint8, source, destination string, set ...func(*bpf.PacketDropEvent)) []byte {
	e := &bpf.PacketDropEvent{Reason: programtest.ReasonNoSocket, Netns: 4026531840}
	e.Record.Program = programtest.Number
	e.Record.Event = uint8(bpf.PacketDropEventIdEVENT_DROP)
	e.Record.Time = uint64(programtest.Start) + 1
	copy(chars(e.Interface[:]), "eth0")
	from, to := netip.MustParseAddrPort(source), netip.MustParseAddrPort(destination)
	p := &e.Packet
	p.Flow.Local.Octets, p.Flow.LocalPort = from.Addr().As16(), from.Port()
	p.Flow.Remote.Octets, p.Flow.RemotePort = to.Addr().As16(), to.Port()
	p.Protocol, p.Size, p.Type = protocol, 60, 4
	if from.Addr().Is6() {
		p.Type = 6
	}
	for _, change := range set {
		change(e)
	}
	return programtest.Bytes(e)
}

func chars(s []int8) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)) }

func flags(flags uint8) func(*bpf.PacketDropEvent) {
	return func(e *bpf.PacketDropEvent) { e.Packet.TcpFlags = flags }
}

func because(reason uint32) func(*bpf.PacketDropEvent) {
	return func(e *bpf.PacketDropEvent) { e.Reason = reason }
}

// owned is a packet whose socket belongs to a process in a cgroup.
func owned(attribution common.Attribution, cgroup uint64) func(*bpf.PacketDropEvent) {
	return func(e *bpf.PacketDropEvent) {
		e.Owner.Pid, e.Owner.Uid, e.Owner.Cgroup = 100, 33, cgroup
		copy(chars(e.Owner.Comm[:]), "nginx")
		copy(chars(e.Owner.Executable[:]), "nginx")
		e.Attribution = uint8(attribution)
		e.Cookie = 4711
	}
}

// inCgroup is a packet whose socket has only a known cgroup.
func inCgroup(cgroup uint64) func(*bpf.PacketDropEvent) {
	return func(e *bpf.PacketDropEvent) {
		e.Owner.Cgroup, e.Attribution, e.Cookie = cgroup, uint8(common.AttributionCgroup), 4712
	}
}

// notIP is a packet of another protocol, such as ARP.
func notIP(e *bpf.PacketDropEvent) {
	packet := bpf.PacketDropEvent{}.Packet
	packet.Size = 42
	e.Packet = packet
}

func TestAppendLogGolden(t *testing.T) {
	const (
		v4, v4peer = "10.0.0.9:51234", "10.0.0.5:443"
		v6, v6peer = "[2001:db8::9]:51234", "[2001:db8::5]:443"
	)
	for file, records := range map[string][][]byte{
		"protocols.yaml": {
			drop(inet.ProtocolTCP, v4, v4peer, flags(0b000010)),
			drop(inet.ProtocolTCP, v6, v6peer, flags(0b010010)),
			drop(inet.ProtocolTCP, v4, v4peer, flags(0b11111111)),
			drop(inet.ProtocolTCP, v4, v4peer, flags(0b000010), because(programtest.ReasonNetfilterDrop)), // a connection fails
			drop(inet.ProtocolUDP, v4, "10.0.0.5:53"),
			drop(inet.ProtocolUDP, v6, "[ff02::fb]:5353"),
			drop(inet.ProtocolUDP, "10.0.0.9:0", "10.0.0.5:0"), // not the first fragment
			drop(inet.ProtocolICMP, "10.0.0.9:0", "10.0.0.5:0"),
			drop(inet.ProtocolICMPv6, "[fe80::1]:0", "[ff02::1]:0"),
			drop(inet.ProtocolSCTP, "10.0.0.9:0", "10.0.0.5:0"),
			drop(47, "10.0.0.9:0", "10.0.0.5:0"), // GRE, which has no name here
			drop(0, v4, v4peer, notIP, func(e *bpf.PacketDropEvent) { e.Reason = programtest.ReasonNotSpecified }),
		},
		"reasons.yaml": {
			drop(inet.ProtocolUDP, v4, v4peer, because(programtest.ReasonNetfilterDrop)),
			drop(inet.ProtocolUDP, v4, v4peer, because(programtest.ReasonLastAction)), // of a subsystem
			drop(inet.ProtocolUDP, v4, v4peer, because(77)),                           // newer than the types
			drop(inet.ProtocolUDP, v4, v4peer, because(9<<16|1)),
		},
		"owners.yaml": {
			drop(inet.ProtocolTCP, v4, v4peer, flags(2), owned(common.AttributionSocket, programtest.Service)),
			drop(inet.ProtocolUDP, v4, v4peer, because(programtest.ReasonSocketRcvbuff),
				owned(common.AttributionReceivingSocket, programtest.WebChild)),
			drop(inet.ProtocolTCP, v4, v4peer, inCgroup(programtest.Database)),
			drop(inet.ProtocolTCP, v4, v4peer, inCgroup(programtest.Service)),
			drop(inet.ProtocolTCP, v4, v4peer, func(e *bpf.PacketDropEvent) { // neither interface nor socket
				e.Interface, e.Netns = [16]int8{}, 0
			}),
			drop(inet.ProtocolTCP, v4, v4peer, func(e *bpf.PacketDropEvent) { copy(chars(e.Interface[:]), "0123456789abcdef") }),
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

// A kernel before 5.17 gives no reasons. The BPF side then writes 0, which must not look like a reason.
func TestKernelWithoutReasons(t *testing.T) {
	host := programtest.Host(t)
	host.Reasons = programtest.BTF(t, 2).DropReasons()
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	require.NoError(t, p.AppendLog(b, drop(inet.ProtocolUDP, "10.0.0.9:1", "10.0.0.5:2", because(0))))
	lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	attributes := lr.Attributes().AsRaw()
	assert.NotContains(t, attributes, "ebpf.drop.reason")
	assert.NotContains(t, attributes, "ebpf.drop.subsystem")
	assert.Equal(t, "udp 10.0.0.9:1 → 10.0.0.5:2 dropped", lr.Body().Str())
}

func TestBodyOff(t *testing.T) {
	host := programtest.Host(t)
	b := programtest.NewBatch(host, false)
	require.NoError(t, newProgram(defaultConfig(), host).AppendLog(b, drop(inet.ProtocolUDP, "10.0.0.9:1", "10.0.0.5:2")))
	lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	assert.Empty(t, lr.Body().AsString())
	assert.NotZero(t, lr.Attributes().Len())
}

func TestAppendLogRefuses(t *testing.T) {
	whole := drop(inet.ProtocolUDP, "10.0.0.9:1", "10.0.0.5:2")
	for name, tt := range map[string]struct {
		record []byte
		want   string
	}{
		"nothing":      {nil, "packet_drop record of 0 bytes is too short"},
		"a header":     {whole[:common.RecordSize], "packet_drop record of 24 bytes is too short"},
		"a byte short": {whole[:len(whole)-1], "is too short"},
		"unknown event": {
			drop(inet.ProtocolUDP, "10.0.0.9:1", "10.0.0.5:2", func(e *bpf.PacketDropEvent) { e.Record.Event = 7 }),
			"packet_drop record of unknown event 7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			host := programtest.Host(t)
			b := programtest.NewBatch(host, true)
			require.ErrorContains(t, newProgram(defaultConfig(), host).AppendLog(b, tt.record), tt.want)
			assert.Zero(t, b.Len())
		})
	}
}

func TestEvents(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	assert.Equal(t, uint32(1)<<bpf.PacketDropEventIdEVENT_DROP, p.Events())
	host.Events.EbpfPacketDrop.Enabled = false
	assert.Zero(t, p.Events())
}

// What the BPF side must know about this kernel comes from its BTF.
func TestVariables(t *testing.T) {
	symbols := filepath.Join(t.TempDir(), "symbols")
	require.NoError(t, os.WriteFile(symbols, []byte(`ffffffff81000000 T _stext
ffffffff81001000 T tcp_v4_rcv
ffffffff81001100 T tcp_v4_do_rcv
ffffffff81001200 t icmpv6_rcv
ffffffff81001210 t sk_stream_kill_queues
ffffffff81001300 t icmpv6_rcv.cold
ffffffff81001400 T _etext
`), 0o600))
	for _, tt := range []struct {
		name       string
		arguments  int
		want       uint32
		judgements map[uint32]bpf.PacketDropJudgement
	}{
		{"5.10", 2, 2, nil},
		{"types that do not tell", -1, 2, nil},
		{"6.1", 3, 3, someJudgements},
		{"6.12", 4, 4, someJudgements},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := programtest.Host(t)
			host.BTF = programtest.BTF(t, tt.arguments)
			host.Symbols = kernel.SymbolsIn(symbols)
			var reasons [256]uint8
			for number, judgement := range tt.judgements {
				reasons[number] = uint8(judgement)
			}
			places := codes{
				{Start: 0xffffffff81001000, Size: 0x100, Kind: uint32(bpf.PacketDropCodeKindCODE_RECEIVES_SEGMENT)},
				{Start: 0xffffffff81001100, Size: 0x100, Kind: uint32(bpf.PacketDropCodeKindCODE_HANDLES_SEGMENT)},
				{Start: 0xffffffff81001200, Size: 0x10, Kind: uint32(bpf.PacketDropCodeKindCODE_CONSUMES)},
				{Start: 0xffffffff81001210, Size: 0xf0, Kind: uint32(bpf.PacketDropCodeKindCODE_CONSUMES)},
				{Start: 0xffffffff81001300, Size: 0x100, Kind: uint32(bpf.PacketDropCodeKindCODE_CONSUMES)},
			}
			for i := 5; i < len(places); i++ {
				places[i].Start = math.MaxUint64
			}
			p := newProgram(defaultConfig(), host)
			assert.Equal(t, map[string]any{
				bpf.PacketDropVarKfreeSkbArguments: tt.want,
				bpf.PacketDropVarJudgements:        reasons,
				bpf.PacketDropVarCodes:             places,
			}, p.Variables())
			spec, err := p.Spec()
			require.NoError(t, err)
			for name, value := range p.Variables() {
				require.Contains(t, spec.Variables, name)
				assert.NoError(t, spec.Variables[name].Set(value), name)
			}
		})
	}
}

// someJudgements are the judgements of the drop reasons in programtest's BTF.
var someJudgements = map[uint32]bpf.PacketDropJudgement{
	0:                              noLoss,
	1:                              noLoss,
	programtest.ReasonNotSpecified: noReason,
	programtest.ReasonNoSocket:     noSocket,
	programtest.ReasonQueuePurge:   noLoss,
}

// If kernel symbols are unavailable, which is logged once, no location matches a function.
func TestVariablesWithoutSymbols(t *testing.T) {
	host := programtest.Host(t)
	core, log := observer.New(zap.WarnLevel)
	host.Logger, host.Symbols = zap.New(core), kernel.SymbolsIn("/nowhere")
	variables := newProgram(defaultConfig(), host).Variables()
	for _, code := range variables[bpf.PacketDropVarCodes].(codes) {
		assert.Equal(t, bpf.PacketDropCode{Start: math.MaxUint64}, code)
	}
	assert.Equal(t, 1, log.Len())
}

func TestHooks(t *testing.T) {
	p := newProgram(defaultConfig(), programtest.Host(t))
	spec, err := p.Spec()
	require.NoError(t, err)
	require.Len(t, p.Hooks(), 1)
	variants := p.Hooks()[0].Variants
	assert.Equal(t, "tp_btf/kfree_skb", variants[0].Hook)
	assert.Contains(t, spec.Programs, variants[0].Function)
}
