// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-ebpf/otelcol-ebpf/internal/tracefstest"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// descriptors returns the targets of the process's open descriptors, sorted, without those of the Go runtime.
func descriptors(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	var open []string
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil {
			open = append(open, target)
		}
	}
	slices.Sort(open)
	return open
}

// mappings returns the process's memory mappings of BPF maps. Each one keeps its map in the kernel.
func mappings(t *testing.T) (found []string) {
	t.Helper()
	all, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, "bpf") {
			found = append(found, line)
		}
	}
	return found
}

// gone waits until the kernel has freed all of the objects. It frees them after their last user.
func gone(t *testing.T, objects testreceiver.Objects) {
	t.Helper()
	left := objects
	if !testreceiver.Within(5*time.Second, func() bool {
		left = testreceiver.All(t).Both(objects)
		return left.Empty()
	}) {
		assert.Fail(t, "objects are left in the kernel", left.String())
	}
}

func TestShutdownLeavesNothing(t *testing.T) {
	testnet.Require(t)
	tracefstest.Mount(t)
	device := testnet.WireName("a")
	configs := map[string]string{
		"both":         bothPrograms,
		"all there is": "programs: " + programs.Examples(device) + "\nexclude: {cidrs: [10.0.0.0/8], ports: [22], executables: [sshd]}",
		// The test itself triggers these three programs.
		"connection":  onlyConnection,
		"packet_drop": onlyPacketDrop,
		"tcp":         onlyTCP,
	}
	for _, p := range programs.All() {
		if configs[p.Name] == "" {
			configs[p.Name] = "programs: {connection: {}, " + p.Name + ": " + p.ExampleOn(device) + "}"
		}
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			ns := testnet.NewNamespace(t)
			a := traffic.Start(t, ns)
			w := testnet.NewWire(t, ns, "a")
			before, files := testreceiver.All(t), descriptors(t)
			require.True(t, testreceiver.Owned(t).Empty(), "objects left by another test: %s", testreceiver.Owned(t))
			goroutines := goleak.IgnoreCurrent()

			r := testreceiver.New(t, config)
			require.NoError(t, r.Start())
			running := testreceiver.Owned(t)
			require.NotEmpty(t, running.Programs)
			require.NotEmpty(t, running.Maps)
			require.NotEmpty(t, running.Links)
			assert.True(t, running.Both(before).Empty(), "the receiver's objects must be new")
			a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
			r.Wait(t, 1, testreceiver.InNamespace(ns))

			require.NoError(t, r.Shutdown())
			assert.True(t, testreceiver.Owned(t).Empty(), "held still: %s", testreceiver.Owned(t))
			assert.Empty(t, mappings(t), "mapped still")
			gone(t, running)
			id, _ := w.XDP(t)
			assert.Zero(t, id, "an XDP program is still attached")
			assert.NoError(t, goleak.Find(goroutines))
			assert.Equal(t, files, descriptors(t), "open descriptors")

			// After shutdown, the receiver reports nothing.
			calls := r.Events.Calls()
			a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
			require.NoError(t, r.Shutdown(), "a second time")
			assert.Equal(t, calls, r.Events.Calls())
		})
	}
}

func TestShutdownWithoutStart(t *testing.T) {
	testnet.Require(t)
	goroutines := goleak.IgnoreCurrent()
	r := testreceiver.New(t, bothPrograms)
	require.NoError(t, r.Shutdown())
	require.NoError(t, r.Shutdown())
	assert.True(t, testreceiver.Owned(t).Empty())
	assert.NoError(t, goleak.Find(goroutines))
}

func TestOnePipelineIsEnough(t *testing.T) {
	testnet.Require(t)
	for name, option := range map[string]testreceiver.Option{"logs": testreceiver.WithoutMetrics(), "metrics": testreceiver.WithoutLogs()} {
		t.Run(name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			r := testreceiver.Start(t, bothPrograms, option)
			a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container))
			a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
			if name == "logs" {
				r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.OfProcess(a.PID))
				return
			}
			m := r.Scrape(t)
			assert.Equal(t, 1, m.In(container).Int(failedMetric, nil))
			assert.Zero(t, m.Int("ebpf.event.delivered", nil), "there is no consumer of events")
			assert.Zero(t, m.Int("ebpf.event.lost", nil), "without a consumer, no event is lost")
			require.NoError(t, r.Shutdown())
			assert.True(t, testreceiver.Owned(t).Empty())
		})
	}
}

// Events from before the shutdown are delivered, even if their batch would have waited longer.
func TestShutdownDeliversTheRest(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.New(t, "events: {flush_interval: 1m, batch_size: 65536}\n"+onlyConnection)
	require.NoError(t, r.Start())
	s := newClientServer(t)
	const count = 300
	listener := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	s.server.Serve(listener.FD, count)
	s.client.Flood(listener.Local, count, 1)
	require.Equal(t, count, s.server.Served(listener.FD))
	assert.Zero(t, r.Events.Calls(), "the batch must still wait")
	require.NoError(t, r.Shutdown())
	assert.Len(t, r.Events.Matching(testreceiver.OfProcess(s.client.PID, s.server.PID)), eventsPerConnection*count)
}

// A consumer that never returns delays Shutdown no longer than its context allows, and leaves no objects in the kernel.
func TestShutdownWithStuckConsumer(t *testing.T) {
	testnet.Require(t)
	for name, stuck := range map[string]func(release <-chan struct{}) func(context.Context) error{
		"heeding its context": func(release <-chan struct{}) func(context.Context) error {
			return func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-release:
					return nil
				}
			}
		},
		"heeding nothing": func(release <-chan struct{}) func(context.Context) error {
			return func(context.Context) error {
				<-release
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := testreceiver.Start(t, onlyConnection)
			r.Settle(t)
			release := make(chan struct{})
			called := make(chan struct{}, 100)
			answer := stuck(release)
			r.Events.Answer(func(ctx context.Context) error {
				called <- struct{}{}
				return answer(ctx)
			})
			a := traffic.Start(t, testnet.NewNamespace(t))
			a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
			<-called
			running := testreceiver.Owned(t)
			const patience = 500 * time.Millisecond
			begin := time.Now()
			_ = r.ShutdownWithin(patience) // whether it returns an error does not matter here
			assert.Less(t, time.Since(begin), patience+3*time.Second)
			if name == "heeding its context" {
				assert.True(t, testreceiver.Owned(t).Empty(), "held still: %s", testreceiver.Owned(t))
			}
			close(release)
			gone(t, running)
		})
	}
}

// Two receivers on one host see the same events, and do not disturb each other.
func TestTwoReceivers(t *testing.T) {
	testnet.Require(t)
	first := testreceiver.Start(t, bothPrograms)
	second := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	p := s.establish(t, families[0])
	closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
	for _, r := range []*testreceiver.Receiver{first, second} {
		r.Exactly(t, eventsPerConnection, testreceiver.OfProcess(s.client.PID, s.server.PID))
	}
	require.NoError(t, second.Shutdown())
	p = s.establish(t, families[1])
	closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
	first.Exactly(t, 2*eventsPerConnection, testreceiver.OfProcess(s.client.PID, s.server.PID))
	assert.Len(t, second.Events.Matching(testreceiver.OfProcess(s.client.PID, s.server.PID)), eventsPerConnection)
}

// A reload is a shutdown and a start with another configuration. No objects of the old one remain.
func TestReload(t *testing.T) {
	testnet.Require(t)
	a := traffic.Start(t, testnet.NewNamespace(t))
	var old testreceiver.Objects
	for i, step := range []struct {
		config      string
		connections int
		drops       int
	}{
		{config: onlyConnection, connections: 1},
		{config: bothPrograms, connections: 1, drops: 1},
		{config: onlyPacketDrop, drops: 1},
		{config: onlyConnection, connections: 1},
	} {
		r := testreceiver.New(t, step.config)
		require.NoError(t, r.Start())
		running := testreceiver.Owned(t)
		assert.True(t, running.Both(old).Empty(), "step %d", i)
		c := a.ConnectFrom(traffic.Addr(testnet.Loopback4, uint16(50000+i)), traffic.Addr(testnet.Loopback4, closedPort))
		a.Close(c.FD)
		require.NoError(t, r.Shutdown())
		assert.Len(t, r.Events.Matching(testreceiver.Named(connectEvent), testreceiver.OfProcess(a.PID)), step.connections, "step %d", i)
		assert.Len(t, r.Events.Matching(testreceiver.Named(dropEvent), testreceiver.With("source.port", int64(50000+i))), step.drops, "step %d", i)
		gone(t, running)
		old = running
	}
}
