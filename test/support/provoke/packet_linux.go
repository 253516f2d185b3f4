// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// packetInterface receives the frame of provokePacket.
const packetInterface = "private0"

func init() {
	add(Program{
		Name:     "packet",
		Settings: `{interfaces: ["private*"], sample_every: 1}`,
		Event:    provokePacket,
		Work: &Work{
			Counted:    "{interfaces: [bench0], events: false}",
			Emitted:    "{interfaces: [bench0], sample_every: 1, event_limit: 1000000000}",
			Tracepoint: "netif_receive_skb", Hits: []string{"packet", "packet_in_pieces"}, Goal: 60, Prepare: makeWire, Run: frames,
		},
		Storm: &Storm{Limit: "0.5%", Settings: "interfaces: [" + testnet.WireName("storm") + "]", Begin: stormOfFrames},
	})
}

// provokePacket creates an interface while the collector runs, and sends a frame to it. The collector must find the
// interface.
func provokePacket(t *testing.T, events Events) collector.Event {
	t.Helper()
	wire, err := testnet.MakeWire(packetInterface)
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	defer func() { require.NoError(t, wire.Close()) }()
	events.Await(t, 1, "ebpf.program.state", map[string]any{
		"ebpf.program.name": "packet", "ebpf.program.state": "attached", "ebpf.program.hook": "xdp/" + packetInterface + " native",
	})
	require.NoError(t, wire.Put(experimentalFrame()))
	sample := map[string]any{"network.interface.name": packetInterface, "ebpf.packet.size": int64(46)}
	return events.Await(t, 1, "ebpf.packet.sample", sample)[0]
}

// experimentalFrame returns a frame with an EtherType for experiments (IEEE 802).
func experimentalFrame() []byte {
	frame := make([]byte, 60)
	frame[12], frame[13] = 0x88, 0xb5
	return frame
}

// wire carries the traffic of frames.
var wire *testnet.Wire

func makeWire() (_ io.Closer, err error) {
	wire, err = testnet.MakeWire("bench0")
	return wire, err
}

// frames sends frames that an interface receives and that no protocol handles.
func frames(Place) (done traffic.LoopDone, err error) {
	frame := make([]byte, 60)
	copy(frame[12:], []byte{8, 0, 4<<4 | 5, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2, 0, 80, 1, 187})
	const acknowledged = 16
	frame[14+20+13] = acknowledged
	begin := time.Now()
	for ; done.Count < 500_000; done.Count++ {
		if err := wire.Put(frame); err != nil {
			return done, err
		}
	}
	done.Elapsed = time.Since(begin)
	return done, nil
}

// stormOfFrames puts frames into a wire of the test.
func stormOfFrames(t *testing.T) (round func() error, calm func()) {
	t.Helper()
	w := testnet.NewWire(t, testnet.NewNamespace(t), "storm")
	frame := experimentalFrame()
	return func() error {
		for range 100_000 {
			if err := w.Put(frame); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
