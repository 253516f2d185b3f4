// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// A process may choose a port that another connection to the same server has.
func TestConnectionFromTakenPort(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			s := newClientServer(t)
			from, listener := traffic.Addr(f.clientAddress(), 40001), s.server.Listen(traffic.Addr(f.listen, 0))
			require.Zero(t, s.client.ConnectFrom(from, listener.Local).Errno)
			require.Equal(t, unix.EADDRNOTAVAIL, s.client.ConnectFrom(from, listener.Local).Errno)
			r.Exactly(t, 2, testreceiver.OfProcess(s.client.PID))
			e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("error.type", "eaddrnotavail"))[0]
			assert.Equal(t, "no_local_port", e.Attributes[causeKey])
			assert.Equal(t, int64(from.Port()), e.Attributes["client.port"])
		})
	}
}

// A connect() of UDP that finds no free port has another error than that of TCP.
func TestUDPWithoutFreePort(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			s := newClientServer(t)
			s.left.Sysctl(t, "net.ipv4.ip_local_port_range", "40001 40001")
			s.client.OpenUDP(traffic.Addr(f.clientAddress(), 40001))
			to := traffic.Addr(f.dial, 53)
			socket := s.client.OpenUnboundUDP(f.dial)
			require.Equal(t, unix.EAGAIN, s.client.ConnectUDP(socket.FD, to).Errno)
			e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
			assert.Equal(t, connectEvent, e.Name)
			assert.Equal(t, to.Addr().String(), e.Attributes["server.address"])
			if !kernelSays().taskWork {
				assert.NotContains(t, e.Attributes, "error.type", "the result of the call is not known")
				return
			}
			assert.Equal(t, "eagain", e.Attributes["error.type"])
			assert.Equal(t, "no_local_port", e.Attributes[causeKey])
		})
	}
}
