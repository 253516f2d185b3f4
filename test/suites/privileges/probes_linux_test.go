// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// podIP is the address on which the test's agent listens.
const podIP = "127.0.13.1"

// The agent of deploy/kubernetes answers its probes. If a program cannot run, the agent is not ready, but alive: a restart
// would not help.
func TestProbesOfTheAgent(t *testing.T) {
	testenv.RequireKernel(t)
	// There is no API server, and no gateway.
	const alone = `yaml:
exporters: {nop: }
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {processors: [memory_limiter], exporters: [nop]}
    metrics: {processors: [memory_limiter], exporters: [nop]}
`
	for name, tt := range map[string]struct {
		more  string
		ready int
	}{
		"all runs":             {"yaml:{}", http.StatusOK},
		"a program cannot run": {"yaml:receivers: {ebpf: {programs: {connection: {protocols: [unix]}}}}", http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := collector.Command(public(t, testenv.FullCollector(t)), testenv.Repository(t, "deploy/kubernetes/agent-config.yaml"), alone, tt.more)
			cmd.Env = append(cmd.Environ(), "POD_IP="+podIP, "NODE_NAME=node")
			cmd, err := restrict.Command(cmd, contained(0, restrict.Mount{Source: t.TempDir(), At: "/sys/kernel/tracing"}))
			require.NoError(t, err)
			c, err := collector.Start(cmd)
			require.NoError(t, err)
			t.Cleanup(c.Kill)
			assert.Eventually(t, func() bool { return answer(t, "13134") == tt.ready }, provoke.Patience, 100*time.Millisecond, "readiness")
			assert.Equal(t, http.StatusOK, answer(t, "13133"), "liveness")
		})
	}
}

// answer returns the status code of a probe of a port.
func answer(t *testing.T, port string) int {
	t.Helper()
	response, err := http.Get("http://" + podIP + ":" + port + "/")
	if err != nil {
		return 0
	}
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
