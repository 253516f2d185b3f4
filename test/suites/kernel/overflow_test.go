// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// With more cgroups than entries in the maps, the rest is counted in the overflow series, and the sum is complete.
func TestMoreSeriesThanThereIsRoomFor(t *testing.T) {
	testnet.Require(t)
	// The cgroups are removed soon. Their series must stay until the maps are full, so the interval between scrapes is long.
	r := testreceiver.Start(t, "collection_interval: 3s\nexclude: {cidrs: "+testreceiver.AllBut(testnet.Prefix4)+
		"}\nprograms: {connection: {events: false}, packet_drop: {events: false}, tcp: {events: false}}")
	const count = 4500
	ns := testnet.NewNamespace(t)
	ns.AddAddress(t, "lo", testnet.Prefix4)
	// Run as root, which may move between cgroups.
	a := traffic.Start(t, ns)
	a.ConnectFromCgroups(testhost.NewCgroup(t), count, traffic.Addr(testnet.Prefix4.Addr(), closedPort))

	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.Int(failedMetric, nil) >= count })
	assert.Equal(t, count, m.Int(failedMetric, nil), "%v", m.Series(failedMetric))
	assert.Equal(t, count, m.Int("ebpf.packet.drops", nil), "a SYN each; %v", m.Series("ebpf.packet.drops"))
	overflow := testreceiver.Attributes{"otel.metric.overflow": "true"}
	assert.Positive(t, m.Int(failedMetric, overflow))
	assert.Less(t, m.Int(failedMetric, overflow), count)
	assert.Equal(t, map[string]int{"map_full": m.Int(failedMetric, overflow)}, lost(m, "connection"),
		"what has no series of its own must be counted")

	received := testreceiver.Attributes{directionKey: "receive"}
	assert.Equal(t, count, m.Int(resetsMetric, received), "%v", m.Series(resetsMetric))
	received = received.With("otel.metric.overflow", "true")
	assert.Positive(t, m.Int(resetsMetric, received))
	assert.Less(t, m.Int(resetsMetric, received), count)
	assert.Equal(t, map[string]int{"map_full": m.Int(resetsMetric, overflow)}, lost(m, "tcp"))
}
