// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// When somebody detaches the program from an interface, the program notices it, waits for a while, and attaches again. Its
// metrics are absent meanwhile.
func TestPacketsOfATakenInterface(t *testing.T) {
	testnet.Require(t)
	for mode, newWire := range map[string]func(testing.TB, *testnet.Namespace, string) *testnet.Wire{
		"native": testnet.NewWire, "generic": testnet.NewGenericWire,
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, testnet.NewNamespace(t), mode[:1])
			r := testreceiver.Start(t, onlyPacket("", mode[:1]))
			require.Equal(t, mode, attachedAs(t, r, w.Device))
			require.ErrorIs(t, w.RemoveXDP(t), unix.EBUSY, "ip link cannot detach a BPF link")
			for range 3 {
				w.Send(t, datagram(from4, 1))
			}
			assert.Equal(t, 3, counted(t, r, w.Device, 3))

			w.DetachXDP(t)
			isTaken(t, r, w.Device, 1)
			w.Send(t, datagram(from4, 1))
			id, _ := w.XDP(t)
			assert.Zero(t, id, "the program must not attach again at once")
			r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return len(seriesOn(m, packetMetric, w.Device)) == 0 })
			assert.Empty(t, seriesOn(r.Scrape(t), packetMetric, w.Device), "no metric while detached")

			again := r.Wait(t, 2, hookState("attached", "xdp/"+w.Device+" "))[1]
			assert.Equal(t, "xdp/"+w.Device+" "+mode, again.Attributes[hookKey])
			for range 4 {
				w.Send(t, datagram(from4, 1))
			}
			assert.Equal(t, 4, counted(t, r, w.Device, 4))

			w.DetachXDP(t)
			isTaken(t, r, w.Device, 2)
			failed := r.Wait(t, 2, hookState("failed", "xdp/"+w.Device))
			assert.Contains(t, failed[0].Attributes["ebpf.program.error.message"], "after 5s,")
			assert.Contains(t, failed[1].Attributes["ebpf.program.error.message"], "after 10s,", "the second time")
		})
	}
	t.Run("by another program", func(t *testing.T) {
		t.Parallel()
		w := testnet.NewWire(t, testnet.NewNamespace(t), "o")
		r := testreceiver.Start(t, onlyPacket("", "o"))
		attachedAs(t, r, w.Device)
		other := w.ReplaceXDP(t)
		isTaken(t, r, w.Device, 1)
		failed := r.Wait(t, 2, hookState("failed", "xdp/"+w.Device))
		assert.Contains(t, failed[1].Attributes["ebpf.program.error.message"], fmt.Sprintf("another XDP program (id %d", other.ID))
		id, _ := w.XDP(t)
		assert.Equal(t, other.ID, id, "it stays")
		other.Leave()
		r.Wait(t, 2, hookState("attached", "xdp/"+w.Device))
		w.Send(t, datagram(from4, 1))
		assert.Equal(t, 1, counted(t, r, w.Device, 1))
	})
}

// isTaken waits until the n-th report that the program was detached from an interface.
func isTaken(t *testing.T, r *testreceiver.Receiver, device string, n int) {
	t.Helper()
	r.Wait(t, n, hookState("detached", "xdp/"+device+" "))
	failed := r.Wait(t, n, hookState("failed", "xdp/"+device))[n-1]
	assert.Equal(t, plog.SeverityNumberWarn, failed.Severity)
	for _, text := range []string{"interface " + device + ": somebody else has detached the program from it", "leave the interface out"} {
		assert.Contains(t, failed.Attributes["ebpf.program.error.message"], text)
	}
}
