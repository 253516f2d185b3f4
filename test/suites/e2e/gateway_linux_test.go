// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
)

// hostEvents is what the store of a gateway answers.
type hostEvents struct {
	Events []struct {
		Type, Address, Error string
		Port                 int64
		Resource             map[string]any
	}
	Programs []struct {
		Name, State string
		Events      int64
		Resource    map[string]any
	}
	Total  int64
	Groups []struct {
		By    map[string]any
		Count int64
	}
}

// Agents of two hosts send their events to a gateway, whose store distinguishes the hosts. A host is a network namespace here. All
// namespaces have one kernel, so each agent excludes the port of the other one.
func TestGateway(t *testing.T) {
	testenv.RequireKernel(t)
	testnet.Require(t)
	socket := filepath.Join(t.TempDir(), "events.sock")
	gateway := testnet.NewNamespace(t)
	start := func(ns *testnet.Namespace, config string) {
		t.Helper()
		require.NoError(t, ns.Run(func() error {
			c, err := collector.Start(collector.Command(testenv.Collector(t), "yaml:"+config))
			if err == nil {
				t.Cleanup(c.Kill)
			}
			return err
		}))
	}
	start(gateway, fmt.Sprintf(`{receivers: {otlp: {protocols: {grpc: {endpoint: "0.0.0.0:4317"}}}},
exporters: {event_store: {transport: unix, endpoint: %q, directory: %q}},
service: {telemetry: {metrics: {level: none}}, pipelines: {logs: {receivers: [otlp], exporters: [event_store]}}}}`, socket, t.TempDir()))

	const connections = 5
	refusing := map[string]int64{"host-a": 7001, "host-b": 7002}
	for i, host := range []string{"host-a", "host-b"} {
		agent := testnet.NewNamespace(t)
		testnet.JoinBy(t, gateway, "gw-"+host, agent, "agent")
		own, there := netip.AddrFrom4([4]byte{198, 18, byte(i + 1), 2}), netip.AddrFrom4([4]byte{198, 18, byte(i + 1), 1})
		agent.AddAddress(t, "agent", netip.PrefixFrom(own, 24))
		gateway.AddAddress(t, "gw-"+host, netip.PrefixFrom(there, 24))
		start(agent, fmt.Sprintf(`{receivers: {ebpf: {exclude: {ports: [%d]}, programs: {connection: }}},
processors: {transform/host: {log_statements: ['set(resource.attributes["host.name"], "%s")']}},
exporters: {otlp_grpc: {endpoint: "%s:4317", tls: {insecure: true}}},
service: {telemetry: {metrics: {level: none}}, pipelines: {logs: {receivers: [ebpf], processors: [transform/host], exporters: [otlp_grpc]}}}}`,
			refusing[map[string]string{"host-a": "host-b", "host-b": "host-a"}[host]], host, there))
		require.NoError(t, agent.Run(func() error {
			for range connections {
				conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", there, refusing[host]), time.Second) //nolint:noctx // it is refused
				if err == nil {
					return conn.Close()
				}
			}
			return nil
		}))
	}

	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	t.Cleanup(client.CloseIdleConnections)
	ask := func(path string) (answer hostEvents) {
		response, err := client.Get("http://gateway/api/" + path) //nolint:noctx // of a test
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode, string(body))
		require.NoError(t, json.Unmarshal(body, &answer))
		return answer
	}
	mine := fmt.Sprintf("type=connection&pid=%d", os.Getpid())
	require.Eventually(t, func() bool { return ask("summary?"+mine).Total == 2*connections }, patience, 100*time.Millisecond)
	for i, host := range []string{"host-a", "host-b"} {
		answer := ask("events?" + mine + "&attr.host.name=" + host)
		assert.Len(t, answer.Events, connections, host)
		for _, e := range answer.Events {
			assert.Equal(t, host, e.Resource["host.name"])
			assert.Equal(t, refusing[host], e.Port)
			assert.Equal(t, fmt.Sprintf("198.18.%d.1", i+1), e.Address)
			assert.Equal(t, "refused", e.Error)
		}
	}
	byHost := map[string]int64{}
	for _, group := range ask("summary?" + mine + "&by=attr.host.name,error").Groups {
		assert.Equal(t, "refused", group.By["error"])
		byHost[fmt.Sprint(group.By["attr.host.name"])] = group.Count
	}
	assert.Equal(t, map[string]int64{"host-a": connections, "host-b": connections}, byHost)
	assert.Empty(t, ask("events?"+mine+"&attr.host.name=host").Events)

	// Programs are listed by host, too, with the events of each.
	programs := ask("programs").Programs
	for host := range refusing {
		found := false
		for _, p := range programs {
			if p.Name == "connection" && p.Resource["host.name"] == host {
				found = true
				assert.Equal(t, "attached", p.State)
				assert.GreaterOrEqual(t, p.Events, int64(connections))
			}
		}
		assert.True(t, found, host)
	}
}
