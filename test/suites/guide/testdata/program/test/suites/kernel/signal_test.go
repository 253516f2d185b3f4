// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func init() {
	counts("signal", forContainer{
		act: func(t *testing.T, p place) {
			require.NoError(t, unix.Kill(p.agent.PID, unix.SIGCONT))
		},
		metrics: []string{"ebpf.signal.sent"},
	})
}

func TestSignals(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {signal: {}}")
	container := testhost.NewContainer(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.AsUser(clientUser),
		traffic.Named("kernel-test-signals", "signals-main"))
	const sent = 3
	begin := time.Now()
	for range sent {
		require.NoError(t, unix.Kill(a.PID, unix.SIGCONT))
	}
	end := time.Now()

	continued := func(e testreceiver.Event) bool { return e.Attributes["ebpf.signal.name"] == "SIGCONT" }
	events := r.Wait(t, sent, testreceiver.OfProcess(a.PID), continued)
	require.Len(t, events, sent)
	for _, e := range events {
		check(t, e, "ebpf.signal.send", plog.SeverityNumberInfo, attributes{
			"ebpf.signal.name": "SIGCONT", "ebpf.signal.sender.pid": int64(os.Getpid()),
			"process.pid": int64(a.PID), "process.user.id": int64(clientUser),
			"process.executable.name": "kernel-test-signals", "thread.name": "signals-main",
		})
		within(t, e, begin, end)
		assert.Equal(t, resource(container), e.Resource)
	}
	one := testreceiver.Attributes{"ebpf.signal.name": "SIGCONT"}
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.In(container).Int("ebpf.signal.sent", one) >= sent })
	assert.Equal(t, sent, m.In(container).Int("ebpf.signal.sent", one))
}
