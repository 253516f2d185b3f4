// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// The traffic is a refused connect, a connection with bytes in both directions, and some datagrams to a closed port. Each
// output of the collector reports exactly that.
func TestPipelines(t *testing.T) {
	s := newSetup(t)
	c := s.start(t)
	container := testhost.NewDockerContainer(t)
	const up, down, datagrams, bytes = 1234, 54321, 3, 99
	server, served := serve(t, up, down)
	begin := time.Now()
	did := job{Refused: 2, Server: server.String(), Up: up, Down: down, Datagrams: datagrams, Bytes: bytes}.make(t, "curl", container)
	require.NoError(t, <-served)
	end := time.Now()

	fromFile := func() []collector.Event { return readEvents(t, s.events) }
	for name, source := range map[string]func() []collector.Event{"file": fromFile, "OTLP": s.otlp.all} {
		t.Run(name, func(t *testing.T) {
			checkRefused(t, source, did, container)
			checkTalk(t, source, did, server.Port(), up, down)
			checkDrops(t, source, did, datagrams, bytes)
			for _, e := range source() {
				if e.Attributes["process.pid"] == int64(did.PID) {
					assert.WithinRange(t, e.Time, begin, end, "%s is not between the begin and the end of the traffic", e.Name)
					assert.False(t, e.Observed.Before(e.Time), "%s was observed before it happened", e.Name)
				}
			}
		})
	}
	t.Run("programs", func(t *testing.T) {
		for _, program := range []string{"connection", "packet_drop"} {
			states := collector.Matching(fromFile(), "ebpf.program.state", map[string]any{"ebpf.program.name": program, "ebpf.program.state": "attached"})
			assert.NotEmpty(t, states, "no event says that program %s is attached", program)
		}
	})
	t.Run("terminal", func(t *testing.T) {
		line := regexp.MustCompile(fmt.Sprintf(`(?m)^\d\d:\d\d:\d\d\.\d{3} WARN  curl\[%d\] → 127\.0\.0\.1:1 tcp refused after \S+ .s: reset by the peer( \[\w+\])?$`, did.PID))
		assert.Regexp(t, line, c.Output(), "time, severity, who and what, and the container")
		for text := range strings.Lines(c.Output()) {
			assert.LessOrEqual(t, utf8.RuneCountInString(text), 121, "a line of 120 characters and its end: %s", text)
		}
	})
	t.Run("Prometheus page", func(t *testing.T) { checkPage(t, s, container, up, down) })
	t.Run("metrics over OTLP", func(t *testing.T) {
		for _, metric := range []string{"ebpf.connection.opened", "ebpf.connection.failed", "ebpf.connection.duration", "ebpf.packet.drops", "ebpf.event.delivered"} {
			assert.True(t, s.otlp.has(metric), metric)
		}
	})
	t.Run("health", func(t *testing.T) {
		body := s.waitHealth(t, `"receiver:ebpf"`)
		assert.Contains(t, body, `"healthy":true,"status":"StatusOK"`)
		assert.NotContains(t, body, "Error")
	})
	assert.NotContains(t, c.Log(), "\terror\t")
	require.NoError(t, c.Stop())
}

// owned returns the attributes of the process that made the traffic.
func owned(did truth) map[string]any {
	return map[string]any{
		"process.pid": int64(did.PID), "process.executable.name": "curl", "thread.name": "curl",
		"process.user.id": int64(os.Geteuid()), "ebpf.attribution": "socket",
	}
}

func checkRefused(t *testing.T, source func() []collector.Event, did truth, container *testhost.Cgroup) {
	t.Helper()
	want := owned(did)
	maps.Copy(want, map[string]any{
		"error.type": "refused", "network.transport": "tcp", "network.type": "ipv4", "ebpf.connection.role": "client",
		"client.address": "127.0.0.1", "server.address": "127.0.0.1", "server.port": int64(closedPort),
	})
	for _, e := range await(t, source, 2, "ebpf.connection.connect", want) {
		assert.Equal(t, "WARN", e.Severity)
		assert.Equal(t, container.ContainerID, e.Resource["container.id"])
		assert.True(t, strings.HasPrefix(e.Body, fmt.Sprintf("curl[%d] → 127.0.0.1:1 tcp refused after ", did.PID)), e.Body)
		assert.Positive(t, e.Attributes["ebpf.connection.handshake.duration"])
		assert.NotZero(t, e.Attributes["ebpf.socket.cookie"])
		assert.NotZero(t, e.Attributes["ebpf.network.namespace"])
		assert.NotZero(t, e.Attributes["client.port"])
	}
}

// checkTalk checks both sides of the established connection: the child's and the test's.
func checkTalk(t *testing.T, source func() []collector.Event, did truth, port uint16, up, down int64) {
	t.Helper()
	ends := map[string]any{
		"network.transport": "tcp", "client.address": "127.0.0.1", "client.port": int64(did.ClientPort),
		"server.address": "127.0.0.1", "server.port": int64(port),
	}
	connect := await(t, source, 1, "ebpf.connection.connect", ends)[0]
	assert.Equal(t, "INFO", connect.Severity)
	assert.NotContains(t, connect.Attributes, "error.type")
	assert.EqualValues(t, did.PID, connect.Attributes["process.pid"])
	accept := await(t, source, 1, "ebpf.connection.accept", ends)[0]
	assert.EqualValues(t, os.Getpid(), accept.Attributes["process.pid"])
	assert.Equal(t, "server", accept.Attributes["ebpf.connection.role"])
	for _, e := range await(t, source, 2, "ebpf.connection.close", ends) {
		sent, received, pid := up, down, did.PID
		if e.Attributes["ebpf.connection.role"] == "server" {
			sent, received, pid = down, up, os.Getpid()
		}
		assert.Equal(t, sent, e.Attributes["ebpf.connection.bytes_sent"])
		assert.Equal(t, received, e.Attributes["ebpf.connection.bytes_received"])
		assert.EqualValues(t, pid, e.Attributes["process.pid"])
		assert.Positive(t, e.Attributes["ebpf.connection.duration"])
	}
}

func checkDrops(t *testing.T, source func() []collector.Event, did truth, datagrams int, bytes int64) {
	t.Helper()
	for _, e := range await(t, source, datagrams, "ebpf.packet.drop", map[string]any{
		"ebpf.drop.reason": "no_socket", "network.transport": "udp", "network.type": "ipv4",
		"source.address": "127.0.0.1", "source.port": int64(did.DatagramPort),
		"destination.address": "127.0.0.1", "destination.port": int64(closedPort),
	}) {
		assert.Equal(t, "WARN", e.Severity)
		assert.Equal(t, bytes+28, e.Attributes["ebpf.packet.size"], "including the headers of IPv4 and UDP")
		assert.Equal(t, "lo", e.Attributes["network.interface.name"])
		assert.NotEmpty(t, e.Attributes["ebpf.drop.location"])
	}
}

func checkPage(t *testing.T, s *setup, container *testhost.Cgroup, up, down float64) {
	t.Helper()
	page := s.page(t)
	in := func(labels collector.Labels) collector.Labels {
		labels["container_id"] = container.ContainerID
		return labels
	}
	for _, want := range []struct {
		name   string
		labels collector.Labels
		value  float64
	}{
		{"ebpf_connection_failed_total", in(collector.Labels{"error_type": "refused", "network_transport": "tcp", "network_type": "ipv4"}), 2},
		{"ebpf_connection_opened_total", in(collector.Labels{"network_transport": "tcp", "ebpf_connection_role": "client"}), 1},
		{"ebpf_connection_opened_total", in(collector.Labels{"network_transport": "udp"}), 1},
		{"ebpf_connection_active", in(collector.Labels{"network_transport": "tcp"}), 0},
		{"ebpf_connection_io_bytes_total", in(collector.Labels{"network_io_direction": "transmit"}), up},
		{"ebpf_connection_io_bytes_total", in(collector.Labels{"network_io_direction": "receive"}), down},
		{"ebpf_connection_duration_seconds_count", in(collector.Labels{}), 1},
		{"ebpf_connection_handshake_duration_seconds_count", in(collector.Labels{}), 1},
		{"ebpf_event_lost_total", collector.Labels{"ebpf_loss_cause": "ring_full"}, 0},
	} {
		assert.NotEmpty(t, page.Find(want.name, want.labels), "%s%v", want.name, want.labels)
		assert.InDelta(t, want.value, page.Sum(want.name, want.labels), 0, "%s%v", want.name, want.labels)
	}
	// Packets dropped before they reach a socket have no owner, so packets of other processes may be included.
	assert.GreaterOrEqual(t, page.Sum("ebpf_packet_drops_total", collector.Labels{"ebpf_drop_reason": "no_socket", "network_transport": "udp"}), 3.0)
}
