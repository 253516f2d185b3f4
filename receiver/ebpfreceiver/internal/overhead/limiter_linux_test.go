// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package overhead

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakePrograms are two programs. One has many events while its events are on.
type fakePrograms struct {
	mu     sync.Mutex
	events uint64
	rate   uint64 // events per call of Usages
	levels map[string]program.Level
	opened map[bool]int
	err    error // of SetLevel
}

func (p *fakePrograms) Usages() ([]program.Usage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.levels["loud"] == program.LevelFull {
		p.events += p.rate
	}
	return []program.Usage{{Program: "loud", Events: p.events}, {Program: "quiet"}}, nil
}

func (*fakePrograms) Levels() ([]string, map[string][]program.Level) {
	all := []program.Level{program.LevelFull, program.LevelSampled, program.LevelDetached}
	return []string{"loud", "quiet"}, map[string][]program.Level{"loud": all, "quiet": all}
}

func (p *fakePrograms) SetLevel(name string, level program.Level, _ string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.levels[name] = level
	return p.err
}

func (p *fakePrograms) Open(_ string, open bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened[open]++
	return nil
}

func (*fakePrograms) Hold() error { return nil }

func (*fakePrograms) SetTiming(bool) error { return nil }

func (p *fakePrograms) levelOf(name string) program.Level {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.levels[name]
}

// busy keeps this process busy until the result is called.
func busy() (end func()) {
	var (
		stop    atomic.Bool
		running sync.WaitGroup
	)
	running.Go(func() {
		for !stop.Load() {
		}
	})
	return func() {
		stop.Store(true)
		running.Wait()
	}
}

func TestLimiter(t *testing.T) {
	core, log := observer.New(zap.DebugLevel)
	p := &fakePrograms{rate: 1000, levels: map[string]program.Level{}, opened: map[bool]int{}, err: errors.New("no room")}
	var (
		mu       sync.Mutex
		statuses []error
	)
	last := func() (err error, n int) { //nolint:staticcheck // the error is a value here
		mu.Lock()
		defer mu.Unlock()
		if len(statuses) > 0 {
			err = statuses[len(statuses)-1]
		}
		return err, len(statuses)
	}
	l := Start(Settings{
		Logger: zap.New(core), Limit: 0.2, Interval: 10 * time.Millisecond, Programs: p,
		Status: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			statuses = append(statuses, err)
		},
	})
	end := busy()
	wait := func(condition func() bool) {
		t.Helper()
		require.Eventually(t, condition, 20*time.Second, time.Millisecond)
	}
	wait(func() bool { _, n := last(); return n == 1 })
	err, _ := last()
	require.EqualError(t, err, "the overhead_limit of 20% was exceeded, so these programs do less: loud: sampled")
	assert.NotZero(t, log.FilterMessageSnippet("Cannot limit a program").Len(), "the failure is logged")
	end()
	wait(func() bool { err, n := last(); return n == 2 && err == nil })
	assert.Equal(t, program.LevelFull, p.levelOf("loud"))
	assert.Equal(t, program.LevelFull, p.levelOf("quiet"))
	p.mu.Lock()
	assert.NotZero(t, p.opened[false], "a sampled program is detached for most of the time")
	p.mu.Unlock()
	l.Stop()

	var none *Limiter
	none.Stop()
	none.Scrape(nil)
}
