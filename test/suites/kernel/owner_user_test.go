// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// A server listens as root and becomes another user then. The user in an event is that of its time.
func TestOwnersHaveTheUserOfTheEvent(t *testing.T) {
	testnet.Require(t)
	for _, older := range []bool{false, true} {
		t.Run(map[bool]string{false: "younger than the receiver", true: "older than the receiver"}[older], func(t *testing.T) {
			const programs = "programs: {connection: {}, tcp: {}, packet_drop: {}}"
			var r *testreceiver.Receiver
			if !older {
				r = testreceiver.Start(t, programs)
			}
			s := newClientServer(t)
			server := traffic.Start(t, s.right, traffic.Named("privileged", "main"))
			listener := server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
			datagrams := server.OpenUDP(traffic.Addr(testnet.Right.IPv4, 0))
			server.SetOption(datagrams.FD, unix.SOL_SOCKET, unix.SO_RCVBUF, 1)
			other := s.client.Listen(traffic.Addr(testnet.Left.IPv4, 0))
			connected := server.Connect(other.Local)
			peer := s.client.Accept(other.FD)
			if older {
				r = testreceiver.Start(t, programs)
			} else {
				r.Exactly(t, 1, testreceiver.OfProcess(server.PID), testreceiver.Named(connectEvent), testreceiver.With("process.user.id", int64(0)))
			}

			server.BecomeUser(serverUser)
			client := s.client.Connect(listener.Local)
			accepted := server.Accept(listener.FD)
			sender := s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
			s.client.SendMany(sender.FD, datagrams.Local, 1000, 50)
			s.client.Reset(client.FD)
			server.Receive(accepted.FD, 1)
			closeInTurn(s.client, peer.FD, server, connected.FD)
			r.Exactly(t, 1, testreceiver.OfProcess(server.PID), testreceiver.Named(acceptEvent))
			r.Exactly(t, 2, testreceiver.OfProcess(server.PID), testreceiver.Named(closeEvent))
			r.Wait(t, 1, testreceiver.OfProcess(server.PID), testreceiver.Named("ebpf.tcp.reset"))
			if kernelSays().receiver {
				r.Wait(t, 1, testreceiver.OfProcess(server.PID), testreceiver.Named(dropEvent))
			}
			for _, e := range r.Events.Matching(testreceiver.OfProcess(server.PID)) {
				if e.Name != connectEvent {
					assert.Equal(t, int64(serverUser), e.Attributes["process.user.id"], "%s", e)
				}
			}
		})
	}
}
