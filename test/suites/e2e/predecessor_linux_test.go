// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
)

// oldAnswer is what the forms of ebpf-server answer.
type oldAnswer struct {
	Status      string
	Count       int64
	PID         int64
	Command     string
	Duration    int64 `json:"duration_seconds"`
	Message     string
	TotalEvents int `json:"total_events"`
	TotalPIDs   int `json:"total_pids"`
	Events      map[string][]struct {
		Command         string
		DestinationIP   string `json:"destination_ip"`
		DestinationPort int64  `json:"destination_port"`
		Destination     string
		Protocol        string
		WallTime        time.Time `json:"wall_time"`
	} `json:"events_by_pid"`
}

// The commands of ebpf-server's README and docs go on working, as they are written there: at this port, and one of them with an
// ampersand that the shell takes for itself.
func TestPredecessorsCommands(t *testing.T) {
	testenv.RequireKernel(t)
	testnet.Require(t)
	host := testnet.NewNamespace(t)
	config := fmt.Sprintf(`yaml:{receivers: {ebpf: {include: {ports: [8080]}, programs: {connection: , packet_drop: }}},
exporters: {event_store: {endpoint: "localhost:8080", directory: %q}},
service: {telemetry: {metrics: {level: none}}, pipelines: {logs: {receivers: [ebpf], exporters: [event_store]}}}}`, t.TempDir())
	require.NoError(t, host.Run(func() error {
		c, err := collector.Start(collector.Command(testenv.Collector(t), config))
		if err == nil {
			t.Cleanup(c.Kill)
		}
		return err
	}))
	run := func(command string) (answer oldAnswer) {
		t.Helper()
		var out []byte
		require.NoError(t, host.Run(func() (err error) {
			out, err = exec.Command("sh", "-c", command+"\nwait").Output() //nolint:noctx // curl has a time limit of its own
			return err
		}), command)
		require.NoError(t, json.Unmarshal(out, &answer), "%s: %s", command, out)
		return answer
	}
	assert.Equal(t, "healthy", run(`curl http://localhost:8080/health`).Status)
	// Those of this test are what happens here.
	curl := `curl -X POST http://localhost:8080/api/connection-summary \
  -H "Content-Type: application/json" \
  -d '{"command":"curl","duration":60}'`
	const least = 3
	require.Eventually(t, func() bool { return run(curl).Count >= least }, patience, 200*time.Millisecond)
	answer := run(curl)
	assert.Equal(t, "curl", answer.Command)
	assert.Equal(t, int64(60), answer.Duration)
	assert.NotEmpty(t, answer.Message)

	answer = run(`curl -X POST http://localhost:8080/api/connection-summary \
     -H "Content-Type: application/json" \
     -d '{"command":"test","duration":30}'`)
	assert.Zero(t, answer.Count)
	assert.Equal(t, "test", answer.Command)
	assert.Equal(t, int64(30), answer.Duration)
	answer = run(`curl -X POST http://localhost:8080/api/connection-summary \
     -H "Content-Type: application/json" \
     -d '{"pid":1234,"duration":30}'`)
	assert.Equal(t, int64(1234), answer.PID)
	assert.Zero(t, answer.Count)
	for _, command := range []string{
		`curl http://localhost:8080/api/connections/summary?pid=1234&duration=60`, `curl "http://localhost:8080/api/connections/summary?pid=1234&duration=60"`,
	} {
		answer = run(command)
		assert.Equal(t, int64(1234), answer.PID, command)
		assert.Equal(t, int64(60), answer.Duration, command)
	}
	require.NoError(t, host.Run(func() error {
		page, err := exec.Command("sh", "-c", "curl --fail http://localhost:8080/docs").Output() //nolint:noctx // it is a page
		assert.Contains(t, string(page), "<html")
		return err
	}))

	for _, command := range []string{`curl http://localhost:8080/api/list-connections`, `curl http://localhost:8080/api/list-connections | jq .`} {
		answer = run(command)
		assert.Len(t, answer.Events, answer.TotalPIDs)
		found := 0
		for _, events := range answer.Events {
			for _, e := range events {
				if e.Command == "curl" && e.DestinationPort == 8080 {
					found++
					assert.Contains(t, []string{"127.0.0.1:8080", "[::1]:8080"}, e.Destination)
					assert.Equal(t, "TCP", e.Protocol)
					assert.WithinDuration(t, time.Now(), e.WallTime, time.Minute)
				}
			}
		}
		assert.GreaterOrEqual(t, found, least, command)
	}
}
