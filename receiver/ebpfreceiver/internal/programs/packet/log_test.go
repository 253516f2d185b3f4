// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"net/netip"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// sample returns the record of a packet between two hosts, changed by set.
func sample(protocol uint8, source, destination string, set ...func(*bpf.PacketEvent)) []byte {
	e := &bpf.PacketEvent{}
	e.Record.Program = programtest.Number
	e.Record.Event = uint8(bpf.PacketEventIdEVENT_SAMPLE)
	e.Record.Time = uint64(programtest.Start) + 1
	copy(chars(e.Interface[:]), "eth0")
	from, to := netip.MustParseAddrPort(source), netip.MustParseAddrPort(destination)
	e.Frame.Ttl = 64
	p := &e.Frame.Packet
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

func flags(flags uint8) func(*bpf.PacketEvent) {
	return func(e *bpf.PacketEvent) { e.Frame.Packet.TcpFlags = flags }
}

func tagged(count uint8, vlans ...uint16) func(*bpf.PacketEvent) {
	return func(e *bpf.PacketEvent) { e.Frame.VlanCount = count; copy(e.Frame.Vlans[:], vlans) }
}

func fragment(e *bpf.PacketEvent) { e.Frame.Traits |= isFragment }

// notIP is a packet of another protocol, such as ARP.
func notIP(e *bpf.PacketEvent) {
	e.Frame = bpf.PacketEvent{}.Frame
	e.Frame.Packet.Size = 46
}

func TestAppendLogGolden(t *testing.T) {
	const (
		v4, v4peer = "10.0.0.9:51234", "10.0.0.5:443"
		v6, v6peer = "[2001:db8::9]:51234", "[2001:db8::5]:443"
	)
	records := [][]byte{
		sample(inet.ProtocolTCP, v4, v4peer, flags(0b000010)),
		sample(inet.ProtocolTCP, v6, v6peer, flags(0b010010), func(e *bpf.PacketEvent) { e.Frame.Ttl = 1 }),
		sample(inet.ProtocolTCP, v4, v4peer, flags(0b11111111), tagged(1, 100)),
		sample(inet.ProtocolUDP, v4, "10.0.0.5:53", tagged(2, 4094, 7)),
		sample(inet.ProtocolUDP, v6, "[ff02::fb]:5353", tagged(9, 1, 2)), // more than fit
		sample(inet.ProtocolUDP, "10.0.0.9:0", "10.0.0.5:0", fragment),
		sample(inet.ProtocolICMP, "10.0.0.9:0", "10.0.0.5:0"),
		sample(inet.ProtocolICMPv6, "[fe80::1]:0", "[ff02::1]:0"),
		sample(47, "10.0.0.9:0", "10.0.0.5:0"), // GRE, which has no name in network.transport
		sample(0, v4, v4peer, notIP),
		sample(0, v4, v4peer, notIP, tagged(1, 5), func(e *bpf.PacketEvent) { e.Interface = [16]int8{} }), // removed meanwhile
	}
	host := programtest.Host(t)
	p, b := newProgram(on("eth0"), host), programtest.NewBatch(host, true)
	for _, record := range records {
		require.NoError(t, p.AppendLog(b, record))
	}
	payload := b.Flush()
	assert.Equal(t, len(records), payload.ByProgram[programtest.Number])
	programtest.CompareLogs(t, "samples.yaml", payload.Logs)
}

func TestBodyOff(t *testing.T) {
	host := programtest.Host(t)
	b := programtest.NewBatch(host, false)
	require.NoError(t, newProgram(on("eth0"), host).AppendLog(b, sample(inet.ProtocolUDP, "10.0.0.9:1", "10.0.0.5:2")))
	lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	assert.Empty(t, lr.Body().AsString())
	assert.NotZero(t, lr.Attributes().Len())
}

func TestAppendLogRefuses(t *testing.T) {
	whole := sample(inet.ProtocolUDP, "10.0.0.9:1", "10.0.0.5:2")
	for name, tt := range map[string]struct {
		record []byte
		want   string
	}{
		"nothing":      {nil, "packet record of 0 bytes is too short"},
		"a header":     {whole[:common.RecordSize], "packet record of 24 bytes is too short"},
		"a byte short": {whole[:len(whole)-1], "is too short"},
		"unknown event": {
			sample(inet.ProtocolUDP, "10.0.0.9:1", "10.0.0.5:2", func(e *bpf.PacketEvent) { e.Record.Event = 7 }),
			"packet record of unknown event 7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			host := programtest.Host(t)
			b := programtest.NewBatch(host, true)
			require.ErrorContains(t, newProgram(on("eth0"), host).AppendLog(b, tt.record), tt.want)
			assert.Zero(t, b.Len())
		})
	}
}

func TestEvents(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(on("eth0"), host)
	assert.Equal(t, uint32(1)<<bpf.PacketEventIdEVENT_SAMPLE, p.Events())
	host.Events.EbpfPacketSample.Enabled = false
	assert.Zero(t, p.Events())
}

// A packet is picked if 32 random bits are less than the variable.
func TestVariables(t *testing.T) {
	for every, want := range map[int]uint64{1: 1 << 32, 2: 1 << 31, 1000: 4294967, sampleEvery.Most: 4} {
		c := on("eth0")
		c.SampleEvery = every
		p := newProgram(c, programtest.Host(t))
		assert.Equal(t, map[string]any{bpf.PacketVarSampleBelow: want}, p.Variables())
		spec, err := p.Spec()
		require.NoError(t, err)
		assert.NoError(t, spec.Variables[bpf.PacketVarSampleBelow].Set(want))
	}
}

// A kernel without multi-buffer XDP gets the function for single buffers.
func TestHooks(t *testing.T) {
	p := newProgram(on("eth0"), programtest.Host(t))
	spec, err := p.Spec()
	require.NoError(t, err)
	require.Len(t, p.Hooks(), 1)
	variants := p.Hooks()[0].Variants
	assert.Equal(t, "xdp", variants[0].Hook)
	assert.Equal(t, bpf.PacketProgPacket, variants[0].Function)
	for _, function := range []string{bpf.PacketProgPacket, bpf.PacketProgPacketInPieces} {
		assert.Contains(t, spec.Programs, function)
	}
}
