// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Settings whose connection rates are compared. None has events.
var (
	withoutPeers = settings{receiver: "ebpf/who", text: "{programs: {connection: {events: false}}}"}
	withPeers    = settings{receiver: "ebpf/who", text: `{programs: {connection: {events: false}}, metrics: {
ebpf.connection.opened: {attributes: [network.transport, network.type, ebpf.connection.role, server.address, server.port]}}}`}
	withNames = settings{receiver: "ebpf/who", text: "{programs: {connection: {events: false}, dns: {events: false}}}"}
)

// who measures the cost of series by peer, of keeping drops for the causes of failures, and of the names of peers.
func (b *bench) who() error { return errors.Join(b.whoRate(), b.causes()) }

func (b *bench) whoRate() error {
	const times = 10
	all, err := b.alternate(b.flatOut(b.rateConnections/times), times, withoutPeers, withPeers, withNames)
	if err != nil {
		return err
	}
	perSecond := func(d traffic.ConnectionsDone) float64 { return d.PerSecond() }
	off := medianOf(all[1], perSecond)
	for i, what := range []string{"with server.address and server.port", "with dns"} {
		share := 100 * medianOf(all[i+2], perSecond) / off
		b.table.judge(share >= 97, "connections flat out "+what+", of those without", "≥ 97 %", "%.1f %%: %s/s, %s/s without", share,
			spread(all[i+2], perSecond, "%.0f"), spread(all[1], perSecond, "%.0f"))
	}
	return nil
}

// causes measures the cost of a dropped segment, which is kept because it may explain a failure, beside that of a datagram, which is not.
func (b *bench) causes() error {
	statistics, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("enable the kernel's run-time statistics of BPF programs: %w", err)
	}
	k, err := b.kernelRun(withoutPeers, "kfree_skb", func() error {
		_, err := b.dropsOf(b.dropCount / 10).Run(b.container)
		return err
	})
	if err := errors.Join(err, statistics.Close()); err != nil {
		return err
	}
	b.table.note("kernel time per dropped datagram, for the causes of failures", "%.0f ns", k.programs["connection_drop"].each(k.overhead))
	return nil
}
