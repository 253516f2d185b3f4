// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// storedEvents is what the event store answers.
type storedEvents struct {
	Events []struct {
		Type, Severity, Body, Command, Address, Error string
		PID, Port, Sequence                           int64
		Time                                          time.Time
		Attributes                                    map[string]any
	}
	Next string
	Lost map[string]int64
}

// Refused connections are found by each known field, also after the collector was killed.
func TestEventStore(t *testing.T) {
	testenv.RequireKernel(t)
	port, err := collector.FreePort()
	require.NoError(t, err)
	refusing, err := collector.FreePort()
	require.NoError(t, err)
	config := fmt.Sprintf(`yaml:{receivers: {ebpf: {exclude: {self: false}, programs: {connection: }}},
exporters: {event_store: {endpoint: "localhost:%d", directory: %s}},
service: {telemetry: {metrics: {level: none}}, pipelines: {logs: {receivers: [ebpf], exporters: [event_store]}}}}`, port, t.TempDir())
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(refusing))
	begin := func() *collector.Collector {
		c, err := collector.Start(collector.Command(testenv.Collector(t), config))
		require.NoError(t, err)
		t.Cleanup(c.Kill)
		return c
	}
	ask := func(parameters string) (answer storedEvents) {
		response, err := http.Get(fmt.Sprintf("http://localhost:%d/api/events?%s", port, parameters)) //nolint:noctx // of a test
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode, string(body))
		require.NoError(t, json.Unmarshal(body, &answer))
		return answer
	}
	first := begin()
	since := time.Now()
	const connections = 7
	for range connections {
		_, err := net.Dial("tcp", address) //nolint:noctx // it is refused at once
		require.Error(t, err)
	}
	mine := fmt.Sprintf("pid=%d&port=%d", os.Getpid(), refusing)
	require.Eventually(t, func() bool { return len(ask(mine).Events) == connections }, patience, 100*time.Millisecond)
	for _, e := range ask(mine).Events {
		assert.Equal(t, "ebpf.connection.connect", e.Type)
		assert.Equal(t, "WARN", e.Severity)
		assert.Equal(t, "refused", e.Error)
		assert.Equal(t, "127.0.0.1", e.Address)
		assert.Equal(t, int64(refusing), e.Port)
		assert.Equal(t, int64(os.Getpid()), e.PID)
		assert.WithinRange(t, e.Time, since.Add(-time.Second), time.Now())
	}
	command := ask(mine).Events[0].Command
	for _, filter := range []string{
		"type=connection", "type=ebpf.connection.connect", "type=ebpf.conn*", "error=refused", "severity=warn", "address=127.0.0.1", "since=5m",
		"command=" + command, "attr.network.transport=tcp", "limit=7",
	} {
		answer := ask(mine + "&" + filter)
		assert.Len(t, answer.Events, connections, filter)
		assert.Empty(t, answer.Next, filter)
	}
	for _, filter := range []string{"type=packet_drop", "error=reset", "severity=error", "address=127.0.0.2", "until=5m", "command=nobody", "attr.network.transport=udp"} {
		assert.Empty(t, ask(mine+"&"+filter).Events, filter)
	}
	seen := map[int64]bool{}
	for page := ask(mine + "&limit=2"); ; page = ask(mine + "&limit=2&after=" + page.Next) {
		for _, e := range page.Events {
			assert.False(t, seen[e.Sequence], "twice")
			seen[e.Sequence] = true
		}
		if page.Next == "" {
			break
		}
	}
	assert.Len(t, seen, connections)

	first.Kill()
	begin()
	assert.Len(t, ask(mine).Events, connections, "after the collector was killed")
	for cause, count := range ask(mine).Lost {
		assert.Zero(t, count, cause)
	}
}

// Look-ups that fail are a problem of the process that asks, with its server and the code.
func TestEventStoreOfFailedLookups(t *testing.T) {
	testenv.RequireKernel(t)
	port, err := collector.FreePort()
	require.NoError(t, err)
	config := fmt.Sprintf(`yaml:{receivers: {ebpf: {exclude: {self: false}, programs: {dns: }}},
exporters: {event_store: {endpoint: "localhost:%d", directory: %s}},
service: {telemetry: {metrics: {level: none}}, pipelines: {logs: {receivers: [ebpf], exporters: [event_store]}}}}`, port, t.TempDir())
	c, err := collector.Start(collector.Command(testenv.Collector(t), config))
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	const name, lookups, refused = "127.77.53.9", 3, 5
	server, err := net.ListenPacket("udp", name+":53") //nolint:noctx // of a test
	require.NoError(t, err)
	defer server.Close()
	client, err := net.Dial("udp", server.LocalAddr().String()) //nolint:noctx // of a test
	require.NoError(t, err)
	defer client.Close()
	message := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 'f', 'a', 'i', 'l', 0, 0, 1, 0, 1}
	buffer := make([]byte, 512)
	require.NoError(t, errors.Join(client.SetDeadline(time.Now().Add(patience)), server.SetDeadline(time.Now().Add(patience))))
	for i := range lookups {
		message[1] = byte(i)
		_, err := client.Write(message)
		require.NoError(t, err)
		n, from, err := server.ReadFrom(buffer)
		require.NoError(t, err)
		buffer[2], buffer[3] = buffer[2]|0x80, refused
		_, err = server.WriteTo(buffer[:n], from)
		require.NoError(t, err)
		_, err = client.Read(buffer)
		require.NoError(t, err)
	}
	type problem struct {
		Kind, Title string
		Count       int64
	}
	var found []problem
	require.Eventually(t, func() bool {
		response, err := http.Get(fmt.Sprintf("http://localhost:%d/api/problems", port)) //nolint:noctx // of a test
		require.NoError(t, err)
		defer response.Body.Close()
		var answer struct{ Problems []problem }
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
		found = nil
		for _, one := range answer.Problems {
			if one.Kind == "lookup_failed" && strings.Contains(one.Title, name) {
				found = append(found, one)
			}
		}
		return len(found) == 1 && found[0].Count == lookups
	}, patience, 100*time.Millisecond, "%v", &found)
	assert.Contains(t, found[0].Title, " cannot look up names at "+name+":53: refused")
}
