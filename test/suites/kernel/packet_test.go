// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

const (
	sampleEvent  = "ebpf.packet.sample"
	packetMetric = "ebpf.packet.received"
	packetBytes  = "ebpf.packet.io"
	interfaceKey = "network.interface.name"
	hookKey      = "ebpf.program.hook"
)

// Addresses that nobody answers.
var (
	from4, to4 = netip.MustParseAddr("198.18.0.9"), netip.MustParseAddr("198.18.0.5")
	from6, to6 = netip.MustParseAddr("fd18::9"), netip.MustParseAddr("fd18::5")
)

// TCP flags.
const (
	fin, syn, rst, psh, ack = 1, 2, 4, 8, 16
)

// packetTruth is a frame and its expected telemetry.
type packetTruth struct {
	frame []byte
	// series are the attributes of its series. sample are the additional attributes of its event.
	series testreceiver.Attributes
	sample attributes
	// headers is the size of the headers before its network header.
	headers int
}

// traits adds attributes with the value true to a series.
func traits(series testreceiver.Attributes, keys ...string) testreceiver.Attributes {
	for _, key := range keys {
		series = series.With(key, "true")
	}
	return series
}

func endpoints(from, to netip.Addr, ttl int) attributes {
	return attributes{"source.address": from.String(), "destination.address": to.String(), "ebpf.packet.ttl": int64(ttl)}
}

func ports(a attributes, from, to int) attributes {
	return a.with(attributes{"source.port": int64(from), "destination.port": int64(to)})
}

// packetsOf returns the attributes of a transport's series; "" stands for a transport without a name.
func packetsOf(transport, version string) testreceiver.Attributes {
	a := testreceiver.Attributes{"network.type": version}
	if transport != "" {
		a["network.transport"] = transport
	}
	return a
}

// packetTruths returns packets of all kinds that the program distinguishes.
func packetTruths() []packetTruth {
	tcp4, tcp6, udp4, udp6 := packetsOf("tcp", "ipv4"), packetsOf("tcp", "ipv6"), packetsOf("udp", "ipv4"), packetsOf("udp", "ipv6")
	const fragment, lowTTL, control = "ebpf.packet.fragment", "ebpf.packet.low_ttl", "ebpf.tcp.control_flags"
	segment := func(flags uint8) []byte { return testnet.Segment(40000, 443, flags) }
	v4 := func(ttl, protocol uint8, offset uint16, payload ...[]byte) []byte {
		return testnet.IPv4(from4, to4, ttl, protocol, offset, nil, payload...)
	}
	v6 := func(hops, first uint8, headers ...[]byte) []byte {
		return testnet.IPv6(from6, to6, hops, first, headers...)
	}
	ends4, ends6 := endpoints(from4, to4, 64), endpoints(from6, to6, 64)
	sent4, sent6 := ports(ends4, 40000, 443), ports(ends6, 40000, 443)
	asked4, asked6 := ports(ends4, 5000, 53), ports(ends6, 5000, 53)
	flags := func(a attributes, names ...any) attributes { return a.with(attributes{flagsKey: names}) }
	data := func(n int) []byte { return slices.Repeat([]byte{0xff}, n) }
	const ethernet, tag = 14, 4

	return []packetTruth{
		// TCP flags: those that open or end connections have series of their own, others do not.
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 6, 0, segment(syn))), tcp4.With(control, "syn"), flags(sent4, "syn"), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 6, 0, segment(syn|ack))), tcp4.With(control, "syn"), flags(sent4, "syn", "ack"), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 6, 0, segment(fin|ack), data(100))), tcp4.With(control, "fin"), flags(sent4, "fin", "ack"), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 6, 0, segment(rst))), tcp4.With(control, "rst"), flags(sent4, "rst"), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 6, 0, segment(fin|syn|rst))), tcp4.With(control, "fin|syn|rst"), flags(sent4, "fin", "syn", "rst"), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 6, 0, segment(psh|ack), data(1000))), tcp4, flags(sent4, "psh", "ack"), ethernet},
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, 6, segment(rst|ack))), tcp6.With(control, "rst"), flags(sent6, "rst", "ack"), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 6, 0, segment(syn)[:12])), tcp4, ends4, ethernet}, // cut off before the flags

		// Other protocols, and those without a name.
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 17, 0, testnet.Ports(5000, 53), data(10))), udp4, asked4, ethernet},
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, 17, testnet.Ports(5000, 53), data(10))), udp6, asked6, ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 1, 0, data(8))), packetsOf("icmp", "ipv4"), ends4, ethernet},
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, 58, data(8))), packetsOf("icmpv6", "ipv6"), ends6, ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 132, 0, data(12))), packetsOf("sctp", "ipv4"), ends4, ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 47, 0, data(12))), packetsOf("", "ipv4"), ends4, ethernet}, // GRE
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, 59)), packetsOf("", "ipv6"), ends6, ethernet},              // no next header
		{testnet.Ethernet(testnet.TypeARP, data(28)), testreceiver.Attributes{}, attributes{}, ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, data(40)), testreceiver.Attributes{}, attributes{}, ethernet}, // not IPv4 inside

		// TTL and hop limit: 9 is low, 10 is not.
		{testnet.Ethernet(testnet.TypeIPv4, v4(9, 17, 0, testnet.Ports(5000, 53))), traits(udp4, lowTTL), ports(endpoints(from4, to4, 9), 5000, 53), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(10, 17, 0, testnet.Ports(5000, 53))), udp4, ports(endpoints(from4, to4, 10), 5000, 53), ethernet},
		{testnet.Ethernet(testnet.TypeIPv6, v6(1, 58, data(8))), traits(packetsOf("icmpv6", "ipv6"), lowTTL), endpoints(from6, to6, 1), ethernet},

		// Fragments: only the first one has ports. "Don't fragment" does not make a fragment.
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 17, 0x2000, testnet.Ports(5000, 53), data(16))), traits(udp4, fragment), asked4.with(attributes{fragment: true}), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 17, 0x2003, data(24))), traits(udp4, fragment), ends4.with(attributes{fragment: true}), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(3, 6, 0x0006, data(24))), traits(tcp4, fragment, lowTTL), endpoints(from4, to4, 3).with(attributes{fragment: true}), ethernet},
		{testnet.Ethernet(testnet.TypeIPv4, v4(64, 17, 0x4000, testnet.Ports(5000, 53))), udp4, asked4, ethernet},
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, testnet.HeaderFragment, testnet.Fragment(17, 1), testnet.Ports(5000, 53))), traits(udp6, fragment), asked6.with(attributes{fragment: true}), ethernet},
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, testnet.HeaderFragment, testnet.Fragment(17, 8), data(24))), traits(udp6, fragment), ends6.with(attributes{fragment: true}), ethernet},
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, testnet.HeaderFragment, testnet.Fragment(17, 0x0801), data(24))), traits(udp6, fragment), ends6.with(attributes{fragment: true}), ethernet},
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, testnet.HeaderFragment, testnet.Fragment(17, 0), testnet.Ports(5000, 53))), udp6, asked6, ethernet}, // an atomic fragment

		// Headers of other lengths, and several headers.
		{testnet.Ethernet(testnet.TypeIPv4, testnet.IPv4(from4, to4, 64, 17, 0, data(8), testnet.Ports(5000, 53))), udp4, asked4, ethernet},
		{
			testnet.Ethernet(testnet.TypeIPv6, v6(64, testnet.HeaderHopByHop,
				testnet.Extension(testnet.HeaderDestination, 0, 8), testnet.Extension(testnet.HeaderRouting, 2, 24), testnet.Extension(testnet.HeaderAuthentication, 0, 8),
				testnet.Extension(testnet.HeaderFragment, 4, 24), testnet.Fragment(6, 1), segment(syn))),
			traits(tcp6.With(control, "syn"), fragment), flags(sent6, "syn").with(attributes{fragment: true}), ethernet,
		},
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, testnet.HeaderDestination, testnet.Extension(17, 255, 64))), udp6, ends6, ethernet}, // longer than the packet
		{testnet.Ethernet(testnet.TypeIPv6, v6(64, testnet.HeaderHopByHop, slices.Repeat(testnet.Extension(testnet.HeaderDestination, 0, 8), 8))), packetsOf("", "ipv6"), ends6, ethernet},

		// VLAN tags: one, two, and more than the program reads.
		{
			testnet.Ethernet(testnet.TypeVLAN, testnet.VLAN(100, testnet.TypeIPv4, v4(64, 6, 0, segment(syn), data(20)))), tcp4.With(control, "syn"),
			flags(sent4, "syn").with(attributes{"ebpf.packet.vlans": []any{int64(100)}}), ethernet + tag,
		},
		{
			testnet.Ethernet(testnet.TypeOuterVLAN, testnet.VLAN(4094, testnet.TypeVLAN, testnet.VLAN(7, testnet.TypeIPv6, v6(64, 17, testnet.Ports(5000, 53))))), udp6,
			asked6.with(attributes{"ebpf.packet.vlans": []any{int64(4094), int64(7)}}), ethernet + 2*tag,
		},
		{testnet.Ethernet(testnet.TypeVLAN, testnet.VLAN(1, testnet.TypeARP, data(28))), testreceiver.Attributes{}, attributes{"ebpf.packet.vlans": []any{int64(1)}}, ethernet + tag},
		{
			testnet.Ethernet(testnet.TypeVLAN, testnet.VLAN(1, testnet.TypeVLAN, testnet.VLAN(2, testnet.TypeVLAN, testnet.VLAN(3, testnet.TypeIPv4, v4(64, 6, 0, segment(syn)))))),
			testreceiver.Attributes{},
			attributes{"ebpf.packet.vlans": []any{int64(1), int64(2)}},
			ethernet + 2*tag,
		},
	}
}

// onlyPacket returns a configuration for the test's own wires.
func onlyPacket(settings string, wires ...string) string {
	var names []string
	for _, wire := range wires {
		names = append(names, `"`+testnet.WireName(wire)+`"`)
	}
	return fmt.Sprintf("programs: {packet: {interfaces: [%s]%s}}", strings.Join(names, ", "), settings)
}

// sampledOn selects the samples of an interface.
func sampledOn(device string) testreceiver.Match { return testreceiver.With(interfaceKey, device) }

// seriesOn returns the counts of an interface by their other attributes.
func seriesOn(m testreceiver.Scrape, metric, device string) map[string]int {
	found := map[string]int{}
	for _, s := range m.Series(metric) {
		if s.Attributes[interfaceKey] == device {
			found[key(s.Attributes)] += s.Value
		}
	}
	return found
}

// key formats a set of attributes without the interface name.
func key(a testreceiver.Attributes) string {
	a = maps.Clone(a)
	delete(a, interfaceKey)
	return fmt.Sprint(a)
}

// attachedAs waits until the program is attached to the interface, and returns the attach mode.
func attachedAs(t *testing.T, r *testreceiver.Receiver, device string) string {
	t.Helper()
	hook := "xdp/" + device + " "
	e := r.Wait(t, 1, testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.state", "attached"), func(e testreceiver.Event) bool {
		return strings.HasPrefix(fmt.Sprint(e.Attributes[hookKey]), hook)
	})[0]
	return strings.TrimPrefix(e.Attributes[hookKey].(string), hook)
}

// countedAndSampled sends each packet as often as its place in the list says. It checks that each is counted in its series,
// with all its bytes, and that the sample has each of its fields.
func countedAndSampled(t *testing.T, r *testreceiver.Receiver, device string, truths []packetTruth, send func(testing.TB, []byte)) {
	t.Helper()
	start := time.Now()
	packets, bytes, total := map[string]int{}, map[string]int{}, 0
	for i, truth := range truths {
		for range i + 1 {
			send(t, truth.frame)
		}
		total += i + 1
		packets[key(truth.series)] += i + 1
		bytes[key(truth.series)] += (i + 1) * (len(truth.frame) - truth.headers)
	}
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool {
		return m.Int(packetMetric, testreceiver.Attributes{interfaceKey: device}) >= total
	})
	assert.Equal(t, packets, seriesOn(m, packetMetric, device))
	assert.Equal(t, bytes, seriesOn(m, packetBytes, device))

	samples := r.Wait(t, total, testreceiver.Named(sampleEvent), sampledOn(device))
	end := time.Now()
	require.Len(t, samples, total)
	for i, truth := range truths {
		want := truth.sample.with(attributes{interfaceKey: device, "ebpf.packet.size": int64(len(truth.frame) - truth.headers)})
		for _, k := range []string{"network.transport", "network.type"} {
			if v := truth.series[k]; v != "" {
				want[k] = v
			}
		}
		for _, e := range samples[:i+1] {
			check(t, e, sampleEvent, plog.SeverityNumberInfo, want)
			within(t, e, start, end)
			assert.Contains(t, e.Body, " on "+device)
		}
		samples = samples[i+1:]
	}
	assert.Empty(t, lost(m, "packet"))
}

// Packets of all kinds, in native and in generic mode.
func TestPacketsOfAllKinds(t *testing.T) {
	testnet.Require(t)
	for mode, newWire := range map[string]func(testing.TB, *testnet.Namespace, string) *testnet.Wire{
		"native": testnet.NewWire, "generic": testnet.NewGenericWire,
	} {
		t.Run(mode, func(t *testing.T) {
			w := newWire(t, testnet.NewNamespace(t), "a")
			r := testreceiver.Start(t, onlyPacket(", sample_every: 1", "a"))
			assert.Equal(t, mode, attachedAs(t, r, w.Device))
			_, native := w.XDP(t)
			assert.Equal(t, mode == "native", native)

			countedAndSampled(t, r, w.Device, packetTruths(), w.Send)
		})
	}
}

// datagram returns a frame with a UDP packet of 28 bytes.
func datagram(from netip.Addr, port uint16) []byte {
	return testnet.Ethernet(testnet.TypeIPv4, testnet.IPv4(from, to4, 64, 17, 0, nil, testnet.Ports(port, 53)))
}

// counted waits until the packets of a wire are counted, and returns their number.
func counted(t *testing.T, r *testreceiver.Receiver, device string, packets int) int {
	t.Helper()
	on := testreceiver.Attributes{interfaceKey: device}
	return r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.Int(packetMetric, on) >= packets }).Int(packetMetric, on)
}

// hookState selects the events of a state that the program entered at a hook.
func hookState(state, hook string) testreceiver.Match {
	return func(e testreceiver.Event) bool {
		return e.Name == stateEvent && e.Attributes["ebpf.program.state"] == state && strings.HasPrefix(fmt.Sprint(e.Attributes[hookKey]), hook)
	}
}

// If an interface has another XDP program, the collector does not start, or leaves the interface out. The error names the
// interface, the program and the remedy.
func TestPacketsOfAnOccupiedInterface(t *testing.T) {
	testnet.Require(t)
	for name, tt := range map[string]struct {
		occupy func(*testnet.Wire, testing.TB) testnet.Occupation
		off    string
	}{
		"in the driver": {(*testnet.Wire).OccupyByLink, "xdp"}, "behind it": {(*testnet.Wire).OccupyGeneric, "xdpgeneric"},
	} {
		t.Run(name, func(t *testing.T) {
			ns := testnet.NewNamespace(t)
			free, taken := testnet.NewWire(t, ns, "free"), testnet.NewWire(t, ns, "taken")
			other := tt.occupy(taken, t)
			explained := []string{
				"interface " + taken.Device + ": another XDP program (id " + fmt.Sprint(other.ID) + " in `bpftool prog`) is attached to it",
				"`ip link set dev " + taken.Device + " " + tt.off + " off`", "leave the interface out",
			}
			config := onlyPacket("", "free", "taken")

			refused := testreceiver.New(t, config)
			err := refused.Start()
			for _, text := range explained {
				require.ErrorContains(t, err, text)
			}
			require.NotContains(t, err.Error(), free.Device)
			assert.True(t, testreceiver.Within(time.Second, func() bool { id, _ := free.XDP(t); return id == 0 }), "a program is still attached to the other interface")

			r := testreceiver.Start(t, "error_mode: ignore\n"+config)
			attachedAs(t, r, free.Device)
			failed := r.Wait(t, 1, hookState("failed", "xdp/"+taken.Device))[0]
			assert.Equal(t, plog.SeverityNumberWarn, failed.Severity)
			for _, text := range explained {
				assert.Contains(t, failed.Attributes["ebpf.program.error.message"], text)
			}
			require.NotEmpty(t, r.Host.Statuses())
			assert.ErrorContains(t, r.Host.Statuses()[0].Err(), explained[0])
			id, _ := taken.XDP(t)
			assert.Equal(t, other.ID, id, "the other program must stay")
			free.Send(t, datagram(from4, 1))
			taken.Send(t, datagram(from4, 1))
			assert.Equal(t, 1, counted(t, r, free.Device, 1))
			assert.Empty(t, seriesOn(r.Scrape(t), packetMetric, taken.Device), "a zero would look like a measurement")

			// When the interface becomes free, the program attaches.
			other.Leave()
			assert.NotEmpty(t, attachedAs(t, r, taken.Device))
			taken.Send(t, datagram(from4, 1))
			assert.Equal(t, 1, counted(t, r, taken.Device, 1))
			assert.Len(t, r.Events.Matching(hookState("failed", "xdp/")), 1, "it must be reported once")
		})
	}
}

// An interface that is configured by name must exist. With error_mode ignore, the program waits for it.
func TestPacketsOfAMissingInterface(t *testing.T) {
	testnet.Require(t)
	ns := testnet.NewNamespace(t)
	config := onlyPacket("", "late")
	refused := testreceiver.New(t, config)
	require.ErrorContains(t, refused.Start(), "interface "+testnet.WireName("late")+": there is no such network interface here")
	assert.True(t, testreceiver.Owned(t).Empty(), "held still: %s", testreceiver.Owned(t))

	r := testreceiver.Start(t, "error_mode: ignore\n"+config)
	r.Wait(t, 1, hookState("failed", "xdp/"+testnet.WireName("late")))
	assert.Empty(t, r.Events.Matching(hookState("attached", "xdp")), "there is no interface to attach to")
	w := testnet.NewWire(t, ns, "late")
	attachedAs(t, r, w.Device)
	w.Send(t, datagram(from4, 1))
	assert.Equal(t, 1, counted(t, r, w.Device, 1))
}

// A program that has lost its only interface is not attached any more, in its metric too.
func TestPacketStateWithoutInterface(t *testing.T) {
	testnet.Require(t)
	w := testnet.NewWire(t, testnet.NewNamespace(t), "only")
	r := testreceiver.Start(t, onlyPacket("", "only"))
	state := func(m testreceiver.Scrape) (state string) {
		for _, series := range m.Series(stateEvent) {
			if series.Attributes["ebpf.program.name"] == "packet" {
				state = series.Attributes["ebpf.program.state"]
			}
		}
		return state
	}
	attachedAs(t, r, w.Device)
	assert.Equal(t, "attached", state(r.Scrape(t)))
	assert.Len(t, r.Events.Matching(hookState("attached", "xdp")), 1, "each place is reported once")
	w.Cut(t)
	r.Wait(t, 1, hookState("failed", "xdp/"+w.Device))
	assert.Equal(t, "failed", state(r.Scrape(t)))
}

// Interfaces that match a pattern are followed: new ones, renamed ones, and removed ones, whose series end.
func TestPacketsOfInterfacesThatComeAndGo(t *testing.T) {
	testnet.Require(t)
	ns := testnet.NewNamespace(t)
	r := testreceiver.Start(t, onlyPacket(", sample_every: 1", "eth*"))
	assert.Empty(t, r.Scrape(t).Find(packetMetric))
	var all []*testnet.Wire
	for i := range 5 {
		w := testnet.NewWire(t, ns, fmt.Sprint("eth", i))
		attachedAs(t, r, w.Device)
		for range i + 1 {
			w.Send(t, datagram(from4, uint16(i)))
		}
		all = append(all, w)
	}
	for i, w := range all {
		assert.Equal(t, i+1, counted(t, r, w.Device, i+1))
		assert.Len(t, r.Wait(t, i+1, testreceiver.Named(sampleEvent), sampledOn(w.Device)), i+1)
	}
	other := testnet.NewWire(t, ns, "other")

	gone := all[1].Device
	all[1].Cut(t)
	r.Wait(t, 1, hookState("detached", "xdp/"+gone))
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return len(seriesOn(m, packetMetric, gone)) == 0 })
	assert.Empty(t, seriesOn(m, packetMetric, gone), "the series must end")
	assert.Empty(t, seriesOn(m, packetBytes, gone))

	// Rename one to a name that matches the pattern, and one to a name that does not.
	former := all[2].Device
	all[2].Rename(t, "ethX")
	attachedAs(t, r, all[2].Device)
	all[2].Send(t, datagram(from4, 7))
	assert.Equal(t, 1, counted(t, r, all[2].Device, 1), "a new name has a new series that starts at zero")
	assert.LessOrEqual(t, r.Scrape(t).Int(packetMetric, testreceiver.Attributes{interfaceKey: former}), 3, "nothing more must be counted under the old name")
	m = r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return len(seriesOn(m, packetMetric, former)) == 0 })
	assert.Empty(t, seriesOn(m, packetMetric, former), "the series of the old name must end")
	assert.Equal(t, 1, counted(t, r, all[2].Device, 1))
	all[3].Rename(t, "off")
	r.Wait(t, 1, hookState("detached", "xdp/"+testnet.WireName("eth3")))
	assert.True(t, testreceiver.Eventually(func() bool { id, _ := all[3].XDP(t); return id == 0 }), "a program is still attached")
	all[3].Send(t, datagram(from4, 7))

	assert.Equal(t, 5, counted(t, r, all[4].Device, 5), "other interfaces are still counted")
	for _, w := range []*testnet.Wire{other, all[3]} {
		id, _ := w.XDP(t)
		assert.Zero(t, id)
		assert.Empty(t, r.Events.Matching(testreceiver.Named(sampleEvent), sampledOn(w.Device)))
	}
	assert.Empty(t, lost(r.Scrape(t), "packet"))
}

// Packets larger than a page come in several fragments if the driver supports that. All of them are counted.
func TestPacketsInPieces(t *testing.T) {
	testnet.Require(t)
	w := testnet.NewWire(t, testnet.NewNamespace(t), "a")
	const mtu = 9000
	w.SetMTU(t, mtu)
	r := testreceiver.Start(t, onlyPacket(", sample_every: 1", "a"))
	t.Logf("the wire is %s", attachedAs(t, r, w.Device))
	rest := func(headers int) []byte { return make([]byte, mtu-headers) }
	for _, frame := range [][]byte{
		testnet.Ethernet(testnet.TypeIPv4, testnet.IPv4(from4, to4, 64, 17, 0, nil, testnet.Ports(5000, 53), rest(28))),
		testnet.Ethernet(testnet.TypeIPv6, testnet.IPv6(from6, to6, 64, 17, testnet.Ports(5000, 53), rest(48))),
		testnet.Ethernet(testnet.TypeARP, rest(0)),
	} {
		w.Send(t, frame)
	}
	assert.Equal(t, 3, counted(t, r, w.Device, 3))
	assert.Equal(t, 3*mtu, r.Scrape(t).Int(packetBytes, testreceiver.Attributes{interfaceKey: w.Device}))
	for _, e := range r.Wait(t, 3, testreceiver.Named(sampleEvent), sampledOn(w.Device)) {
		assert.Equal(t, int64(mtu), e.Attributes["ebpf.packet.size"])
	}
}

// One of so many packets is sampled, at random. All are counted.
func TestPacketsAreSampled(t *testing.T) {
	testnet.Require(t)
	const every, count = 10, 20_000
	w := testnet.NewWire(t, testnet.NewNamespace(t), "a")
	r := testreceiver.Start(t, onlyPacket(fmt.Sprintf(", sample_every: %d, event_limit: %d", every, count), "a"))
	for range count {
		w.Send(t, datagram(from4, 1))
	}
	assert.Equal(t, count, counted(t, r, w.Device, count))
	assert.Empty(t, lost(r.Scrape(t), "packet"))
	samples := len(r.Events.Matching(testreceiver.Named(sampleEvent), sampledOn(w.Device)))
	// Six standard deviations of a binomial distribution.
	assert.InDelta(t, count/every, samples, 6*math.Sqrt(count*(every-1))/every)

	none := testreceiver.Start(t, onlyPacket(", events: false", "b*"))
	b := testnet.NewWire(t, testnet.NewNamespace(t), "b")
	attachedAs(t, none, b.Device)
	b.Send(t, datagram(from4, 1))
	assert.Equal(t, 1, counted(t, none, b.Device, 1))
	assert.Empty(t, none.Events.Matching(testreceiver.Named(sampleEvent)))
}

// In a flood the limit holds, rate-limited events are counted, and the metrics include every packet.
func TestPacketsOfAFlood(t *testing.T) {
	testnet.Require(t)
	const limit, count = 100, 50_000
	w := testnet.NewWire(t, testnet.NewNamespace(t), "a")
	r := testreceiver.Start(t, onlyPacket(fmt.Sprintf(", sample_every: 1, event_limit: %d", limit), "a"))
	start := time.Now()
	for i := range count {
		w.Send(t, datagram(from4, uint16(i)))
	}
	seconds := int(math.Ceil(time.Since(start).Seconds()))
	assert.Equal(t, count, counted(t, r, w.Device, count))
	m := r.Scrape(t)
	assert.Equal(t, 28*count, m.Int(packetBytes, testreceiver.Attributes{interfaceKey: w.Device}))
	heldBack := lost(m, "packet")
	require.True(t, testreceiver.Eventually(func() bool {
		return len(r.Events.Matching(testreceiver.Named(sampleEvent)))+heldBack["rate_limit"] >= count
	}))
	delivered := len(r.Events.Matching(testreceiver.Named(sampleEvent)))
	assert.Equal(t, map[string]int{"rate_limit": count - delivered}, heldBack, "there are no other losses")
	assert.GreaterOrEqual(t, delivered, limit)
	assert.LessOrEqual(t, delivered, limit*(seconds+1))
}

// Excluded packets are neither counted nor sampled. Packets without IP have no address by which to exclude them.
func TestPacketsThatAreLeftOut(t *testing.T) {
	testnet.Require(t)
	w := testnet.NewWire(t, testnet.NewNamespace(t), "a")
	r := testreceiver.Start(t, "exclude: {loopback: true, cidrs: [198.18.0.128/25, '::/0'], ports: [5353]}\n"+onlyPacket(", sample_every: 1", "a"))
	for _, left := range [][]byte{
		datagram(netip.MustParseAddr("198.18.0.200"), 1),
		datagram(netip.MustParseAddr("127.0.0.1"), 1),
		datagram(from4, 5353),
		testnet.Ethernet(testnet.TypeIPv6, testnet.IPv6(from6, to6, 64, 17, testnet.Ports(1, 53))),
	} {
		w.Send(t, left)
	}
	w.Send(t, datagram(from4, 5000))
	w.Send(t, testnet.Ethernet(testnet.TypeARP, make([]byte, 28)))
	assert.Equal(t, 2, counted(t, r, w.Device, 2))
	samples := r.Wait(t, 2, testreceiver.Named(sampleEvent))
	require.Len(t, samples, 2)
	assert.Equal(t, int64(5000), samples[0].Attributes["source.port"])
	assert.NotContains(t, samples[1].Attributes, "network.type")
}
