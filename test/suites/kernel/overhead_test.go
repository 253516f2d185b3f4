// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// overheadInterval is short, so that a program that has left comes back within seconds.
const overheadInterval = 50 * time.Millisecond

// storm is a load under which a program costs several times its limit.
type storm struct {
	// settings and limit are those of the program.
	settings, limit string
	// begin prepares one round of the load, which takes a second at most.
	begin func(*testing.T) (round func() error)
}

// loops repeats an operation of another process.
func loops(of string, count int) func(*testing.T) func() error {
	return func(*testing.T) func() error {
		return func() error {
			_, err := traffic.Loop{Of: of, Count: count}.Run(nil)
			return err
		}
	}
}

func connectionStorm(*testing.T) func() error {
	return func() error {
		_, err := traffic.Connections{Count: 10_000, Pairs: 2}.Run(nil)
		return err
	}
}

// storms have one load for each program.
var storms = map[string]storm{
	"connection": {limit: "0.5%", begin: connectionStorm},
	"tcp":        {limit: "0.2%", begin: connectionStorm},
	"packet_drop": {limit: "0.1%", begin: func(t *testing.T) func() error {
		a := traffic.Start(t, testnet.NewNamespace(t))
		socket := a.OpenUDP(traffic.Addr(testnet.Loopback4, 0))
		return func() error {
			a.SendMany(socket.FD, traffic.Addr(testnet.Loopback4, closedPort), 64, 100_000)
			return nil
		}
	}},
	"process":         {limit: "0.2%", begin: loops(traffic.LoopProcesses, 1000)},
	"dns":             {limit: "0.5%", begin: loops(traffic.LoopLookups, 20_000)},
	"runqueue":        {limit: "1%", begin: loops(traffic.LoopSwitches, 200_000)},
	"file":            {limit: "2%", begin: loops(traffic.LoopDeletions, 50_000)},
	"file_descriptor": {limit: "5%", begin: loops(traffic.LoopDescriptors, 2_000_000)},
	"syscall":         {limit: "20%", begin: loops(traffic.LoopCalls, 3_000_000)},
	"disk_io": {limit: "0.5%", begin: func(t *testing.T) func() error {
		disk := testhost.NewDisk(t, 1<<20)
		return func() error {
			_, err := traffic.Loop{Of: traffic.LoopReads, Count: 20_000, Path: disk.Path}.Run(nil)
			return err
		}
	}},
}

// rage runs a storm until the result is called.
func (s storm) rage(t *testing.T) (end func()) {
	round, stop := s.begin(t), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if !assert.NoError(t, round(), "the storm") {
				return
			}
		}
	})
	return func() {
		close(stop)
		running.Wait()
	}
}

// overheadOf returns what a program costs, as a share of one CPU.
func overheadOf(m testreceiver.Scrape, program string) (share float64) {
	for _, metric := range m.Find("ebpf.overhead") {
		for _, p := range metric.Gauge().DataPoints().All() {
			if name, ok := p.Attributes().Get("ebpf.program.name"); ok && name.Str() == program {
				share += p.DoubleValue()
			}
		}
	}
	return share
}

func TestOverheadLimit(t *testing.T) {
	testnet.Require(t)
	for name, s := range storms {
		t.Run(name, func(t *testing.T) {
			r := testreceiver.Start(t, fmt.Sprintf("overhead_limit: %s\noverhead_interval: %s\nprograms: {%s: {%s}}", s.limit, overheadInterval, name, s.settings))
			isOf := testreceiver.With("ebpf.program.name", name)
			inState := func(state string) []testreceiver.Event {
				return r.Events.Matching(testreceiver.Named(stateEvent), isOf, testreceiver.With("ebpf.program.state", state))
			}
			begin := time.Now()
			end := s.rage(t)
			left := testreceiver.Eventually(func() bool { return len(inState("detached")) > 0 })
			took := time.Since(begin)
			end()
			m := r.Scrape(t)
			t.Logf("%s: %v after %s, overhead %.4f", name, states(r, name), took, overheadOf(m, name))
			for _, e := range r.Events.Matching(testreceiver.Named(stateEvent), isOf) {
				t.Log(e.Time.Format("05.000"), e.Body)
			}
			require.True(t, left)
			statuses := len(r.Host.Statuses())
			require.True(t, testreceiver.Eventually(func() bool {
				all := states(r, name)
				return all[len(all)-1] == "attached" && r.Host.Reported(componentstatus.StatusOK, statuses)
			}), "%v", states(r, name))
			for _, e := range r.Events.Matching(testreceiver.Named(stateEvent), isOf) {
				t.Log(e.Time.Format("05.000"), e.Body)
			}
			_ = slices.Max[[]int]
			_ = plog.SeverityNumberInfo
		})
	}
}
