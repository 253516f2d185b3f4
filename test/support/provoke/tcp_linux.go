// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func init() {
	add(Program{
		Name:  "tcp",
		Event: provokeReset,
		Work: &Work{
			Counted:    "{events: false}",
			Tracepoint: "inet_sock_set_state", Hits: []string{"tcp_segment", "tcp_close"}, Run: connections,
		},
		Storm: &Storm{Limit: "0.1%", Begin: stormOfConnections},
	})
}

// provokeReset connects to a closed port.
func provokeReset(t *testing.T, events Events) collector.Event {
	t.Helper()
	_, err := net.Dial("tcp4", "127.0.0.1:1")
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	return events.Await(t, 1, "ebpf.tcp.reset", map[string]any{
		"network.io.direction": "receive", "server.port": int64(1), "process.pid": int64(os.Getpid()), "ebpf.attribution": "socket",
	})[0]
}

// connections makes connections as fast as possible.
func connections(p Place) (traffic.LoopDone, error) {
	done, err := p.Connections.Run(p.Container)
	return traffic.LoopDone{Count: done.Opened, Elapsed: done.Elapsed}, err
}
