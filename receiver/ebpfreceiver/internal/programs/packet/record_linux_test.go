// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
func TestRecordsOfThisKernel(t *testing.T) {
	kerneltest.Require(t)
	device := fmt.Sprint("pk", os.Getpid())
	wire := newWire(t, device)
	config := on(device)
	config.SampleEvery = 1

	from, to := netip.MustParseAddr("198.18.0.9"), netip.MustParseAddr("198.18.0.5")
	syn := []byte{0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, 2, 0xff, 0xff, 0, 0, 0, 0}
	tcp := append(append(append([]byte{5 << 4, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0}, from.AsSlice()...), to.AsSlice()...), syn...)
	tcp[0] = 4<<4 | 5
	ethernet := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	// EtherTypes that nobody else sends on the wire: experimental protocols, and a VLAN tag.
	experiment := append(append([]byte{}, ethernet...), 0x88, 0xb5, 0, 0)
	outer := append(append([]byte{}, ethernet...), 0x88, 0xa8, 0, 100, 0x81, 0, 0, 7, 8, 0)
	frames := map[string][]byte{"tcp_two_tags": append(outer, tcp...), "not_ip": append(experiment, make([]byte, 42)...)}

	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: config}, func() {
		for _, frame := range frames {
			wire.send(t, frame)
		}
		// When the device has received a frame, the program has run.
		programtest.Eventually(t, func() bool { return wire.received(t) >= len(frames) })
	})
	named := map[string][]byte{}
	for _, raw := range records {
		e, ok := common.View[bpf.PacketEvent](raw)
		require.True(t, ok)
		require.Equal(t, device, string(common.Text(e.Interface[:])))
		copy(chars(e.Interface[:]), "eth0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
		switch {
		case e.Frame.VlanCount == 2:
			named["tcp_two_tags"] = raw
		case e.Frame.Packet.Type == 0:
			named["not_ip"] = raw
		}
	}
	programtest.CompareRecords(t, named)
}
