// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// Prometheus sees the first kill in a container as an increase, because the container's series was zero before. The series of
// a removed container ends.
func TestIncreaseOfFirstKill(t *testing.T) {
	testenv.RequireKernel(t)
	server := prometheusBinary(t)
	s := newSetup(t)
	// Prometheus does not end series whose samples have timestamps.
	s.start(t, "yaml:receivers: {ebpf: {programs: {oom: {}}}}", "yaml:exporters: {prometheus: {send_timestamps: false}}")
	api := startPrometheus(t, server, s.prometheus)
	container := testhost.NewContainer(t)
	kills := fmt.Sprintf(`ebpf_oom_kills_total{container_id=%q}`, container.ContainerID)
	await := func(want, text string) {
		t.Helper()
		var answers []string
		require.Eventually(t, func() bool {
			answers = query(t, api, text)
			return len(answers) == 1 && answers[0] == want
		}, patience, 200*time.Millisecond, "%s is not %s", text, want)
	}
	await("0", kills)

	limit := testhost.NewMemoryLimit(t, container, 16<<20)
	greedy := exec.Command("sh", "-c", "read go && exec tail /dev/zero")
	in, err := greedy.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, greedy.Start())
	container.Take(t, greedy.Process.Pid)
	require.NoError(t, limit.Add(greedy.Process.Pid))
	_, err = in.Write([]byte("go\n"))
	require.NoError(t, err)
	require.ErrorContains(t, greedy.Wait(), "killed")
	await("1", kills)
	// Prometheus extrapolates to the ends of the window, so the increase is at least 1.
	require.Eventually(t, func() bool { return len(query(t, api, "increase("+kills+"[5m]) >= 1")) == 1 }, patience, 200*time.Millisecond,
		"the first kill is not seen as an increase")

	require.NoError(t, limit.Close())
	container.Remove(t)
	require.Eventually(t, func() bool { return len(query(t, api, kills)) == 0 }, patience, 200*time.Millisecond,
		"the series of a removed container does not end")
}
