// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// With error_mode ignore, a program that cannot attach does not stop the others. The health check and an event report it.
func TestHealthOfFailedProgram(t *testing.T) {
	testenv.RequireKernel(t)
	s := newSetup(t)
	const unix = "yaml:receivers: {ebpf: {error_mode: ignore, programs: {connection: {protocols: [unix]}}}}"
	cmd := collector.Command(testenv.Collector(t), testenv.Repository(t, "config.yaml"), s.override(), unix)
	c := startCommand(t, restricted(t, cmd, restrict.Restriction{Unmount: []string{"tracefs"}}))

	const why = "no tracefs is mounted"
	body := s.waitHealth(t, why)
	assert.Contains(t, body, `"status":"StatusPermanentError"`)
	assert.Contains(t, body, `"healthy":false`)
	fromFile := func() []collector.Event { return readEvents(t, s.events) }
	failed := await(t, fromFile, 1, "ebpf.program.state", map[string]any{"ebpf.program.name": "connection", "ebpf.program.state": "failed"})[0]
	assert.Equal(t, "WARN", failed.Severity)
	assert.Contains(t, failed.Attributes["ebpf.program.error.message"], why)

	did := job{Refused: 1, Datagrams: 1, Bytes: 1}.make(t, "curl", nil)
	await(t, fromFile, 1, "ebpf.packet.drop", map[string]any{"source.port": int64(did.DatagramPort), "network.transport": "udp"})
	require.NoError(t, c.Stop())
	assert.Empty(t, collector.Matching(fromFile(), "ebpf.connection.connect", nil))
}

// If a backend refuses data for a while, and no queue is between it and the receiver, the receiver's status becomes a
// recoverable error. With retries nothing is lost.
func TestHealthOfRefusingBackend(t *testing.T) {
	s := newSetup(t)
	c := s.start(t, "yaml:service: {pipelines: {logs: {processors: [memory_limiter], exporters: [otlp_http]}}}",
		"yaml:receivers: {ebpf: {retry_on_failure: {enabled: true}}}")
	s.otlp.refuse.Store(true)
	const refused = 5
	first := job{Refused: refused}.make(t, "while-refused", nil)
	body := s.waitHealth(t, "StatusRecoverableError")
	assert.Contains(t, body, "503")
	second := job{Refused: refused}.make(t, "while-refused", nil)

	s.otlp.refuse.Store(false)
	for _, did := range []truth{first, second} {
		await(t, s.otlp.all, refused, "ebpf.connection.connect", map[string]any{"process.pid": int64(did.PID), "error.type": "refused"})
	}
	require.Eventually(t, func() bool {
		body = s.healthBody(t)
		return strings.Contains(body, `"receiver:ebpf":{"healthy":true,"status":"StatusOK"`) && !strings.Contains(body, "Recoverable")
	}, patience, 100*time.Millisecond, "the receiver's status is still an error")
	page := s.page(t)
	assert.Zero(t, page.Sum("ebpf_event_lost_total", collector.Labels{"ebpf_program_name": "connection"}))
	require.NoError(t, c.Stop())
}
