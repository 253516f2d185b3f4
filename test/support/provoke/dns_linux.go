// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func init() {
	add(Program{
		Name:     "dns",
		Settings: "{threshold: 1us}",
		Event:    provokeLookup,
		Work: &Work{
			Counted: "{events: false}", Emitted: "{threshold: 1us, event_limit: 1000000000}",
			// A look-up has two packets. Those seen at the socket of the server are not counted.
			Hits: []string{"dns_sent", "dns_received"}, Goal: 150, Run: loop(traffic.LoopLookups, 20_000),
		},
		Storm: &Storm{Limit: "0.5%", Begin: repeat(loop(traffic.LoopLookups, 20_000))},
	})
}

// provokeLookup looks up a name in another process.
func provokeLookup(t *testing.T, events Events) collector.Event {
	t.Helper()
	_, err := traffic.Loop{Of: traffic.LoopLookups, Count: 1}.Run(nil)
	require.NoError(t, err)
	e := events.Await(t, 1, "ebpf.dns.lookup", map[string]any{"dns.question.name": "loop", "ebpf.attribution": "current"})[0]
	require.NotEqual(t, int64(os.Getpid()), e.Attributes["process.pid"])
	return e
}
