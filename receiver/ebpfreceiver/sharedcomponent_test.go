// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
)

// countingComponent counts starts and shutdowns without a lock: sharedComponent must serialize them.
type countingComponent struct {
	starts, shutdowns     int
	startErr, shutdownErr error
	host                  component.Host
}

func (c *countingComponent) Start(_ context.Context, host component.Host) error {
	c.starts++
	c.host = host
	return c.startErr
}

func (c *countingComponent) Shutdown(context.Context) error {
	c.shutdowns++
	return c.shutdownErr
}

func newShared(c *countingComponent) *sharedComponent[*countingComponent] {
	return newSharedComponents[int, *countingComponent]().loadOrStore(1, func() *countingComponent { return c })
}

func TestSharedComponentsShareByKey(t *testing.T) {
	components := newSharedComponents[int, *countingComponent]()
	create := func() *countingComponent { return &countingComponent{} }
	one := components.loadOrStore(1, create)
	assert.Same(t, one, components.loadOrStore(1, create))
	other := components.loadOrStore(2, create)
	assert.NotSame(t, one, other)

	require.NoError(t, one.Shutdown(t.Context()))
	again := components.loadOrStore(1, create)
	assert.NotSame(t, one, again, "a component is forgotten at its shutdown")
	require.NoError(t, one.Shutdown(t.Context()))
	assert.Same(t, again, components.loadOrStore(1, create), "a second shutdown of the old component does not affect the new one")
	assert.Same(t, other, components.loadOrStore(2, create))
}

func TestSharedComponentStartsAndShutsDownOnce(t *testing.T) {
	c := &countingComponent{shutdownErr: errors.New("map not closed")}
	shared := newShared(c)
	for range 3 {
		require.NoError(t, shared.Start(t.Context(), componenttest.NewNopHost()))
	}
	for range 3 {
		require.EqualError(t, shared.Shutdown(t.Context()), "map not closed")
	}
	assert.Equal(t, 1, c.starts)
	assert.Equal(t, 1, c.shutdowns)
	require.ErrorIs(t, shared.Start(t.Context(), componenttest.NewNopHost()), errAlreadyShutDown)
	assert.Equal(t, 1, c.starts)
}

func TestSharedComponentKeepsStartError(t *testing.T) {
	c := &countingComponent{startErr: errors.New("CAP_BPF is missing")}
	shared := newShared(c)
	for range 2 {
		require.EqualError(t, shared.Start(t.Context(), componenttest.NewNopHost()), "CAP_BPF is missing")
	}
	assert.Equal(t, 1, c.starts)
	require.NoError(t, shared.Shutdown(t.Context()))
}

func TestSharedComponentShutdownWithoutStart(t *testing.T) {
	c := &countingComponent{}
	require.NoError(t, newShared(c).Shutdown(t.Context()))
	assert.Equal(t, 0, c.starts)
	assert.Equal(t, 1, c.shutdowns, "resources from the creation must be released")
}

func TestSharedComponentReportsStatusToAllHosts(t *testing.T) {
	c := &countingComponent{}
	shared := newShared(c)
	logs, metrics, silent := deliverytest.NewHost(), deliverytest.NewHost(), componenttest.NewNopHost()
	require.NoError(t, shared.Start(t.Context(), logs))
	componentstatus.ReportStatus(c.host, componentstatus.NewEvent(componentstatus.StatusOK))
	componentstatus.ReportStatus(c.host, componentstatus.NewRecoverableErrorEvent(errors.New("refused")))

	require.NoError(t, shared.Start(t.Context(), silent))
	require.NoError(t, shared.Start(t.Context(), metrics))
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, metrics.Statuses(),
		"a later host must get the present status")

	componentstatus.ReportStatus(c.host, componentstatus.NewEvent(componentstatus.StatusOK))
	assert.Equal(t, []componentstatus.Status{
		componentstatus.StatusOK, componentstatus.StatusRecoverableError, componentstatus.StatusOK,
	}, logs.Statuses())
	assert.Equal(t, []componentstatus.Status{
		componentstatus.StatusRecoverableError, componentstatus.StatusOK,
	}, metrics.Statuses())
	assert.Empty(t, c.host.GetExtensions())
}

// reportingComponent reports a status while it starts, like a receiver whose programs cannot all be attached.
type reportingComponent struct {
	countingComponent
}

func (c *reportingComponent) Start(ctx context.Context, host component.Host) error {
	componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(errors.New("no BTF")))
	return c.countingComponent.Start(ctx, host)
}

func TestSharedComponentReportsStatusWhileStarting(t *testing.T) {
	shared := newSharedComponents[int, *reportingComponent]().loadOrStore(1, func() *reportingComponent { return &reportingComponent{} })
	logs, metrics := deliverytest.NewHost(), deliverytest.NewHost()
	require.NoError(t, shared.Start(t.Context(), logs))
	require.NoError(t, shared.Start(t.Context(), metrics))
	for _, host := range []*deliverytest.Host{logs, metrics} {
		require.Len(t, host.Events(), 1)
		assert.Equal(t, componentstatus.StatusPermanentError, host.Events()[0].Status())
		assert.EqualError(t, host.Events()[0].Err(), "no BTF")
	}
}

// After a permanent error the collector ignores later statuses, so a pipeline that starts later must get the error.
func TestSharedComponentKeepsPermanentError(t *testing.T) {
	c := &countingComponent{}
	shared := newShared(c)
	require.NoError(t, shared.Start(t.Context(), deliverytest.NewHost()))
	componentstatus.ReportStatus(c.host, componentstatus.NewPermanentErrorEvent(errors.New("no BTF")))
	componentstatus.ReportStatus(c.host, componentstatus.NewRecoverableErrorEvent(errors.New("refused")))
	componentstatus.ReportStatus(c.host, componentstatus.NewEvent(componentstatus.StatusOK))
	late := deliverytest.NewHost()
	require.NoError(t, shared.Start(t.Context(), late))
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusPermanentError}, late.Statuses())
}

func TestSharedComponentConcurrently(t *testing.T) {
	c := &countingComponent{}
	components := newSharedComponents[int, *countingComponent]()
	hosts := make([]*deliverytest.Host, 8)
	var started, stopped sync.WaitGroup
	for i := range hosts {
		hosts[i] = deliverytest.NewHost()
		started.Go(func() {
			shared := components.loadOrStore(1, func() *countingComponent { return c })
			assert.NoError(t, shared.Start(t.Context(), hosts[i]))
			componentstatus.ReportStatus(c.host, componentstatus.NewEvent(componentstatus.StatusOK))
		})
	}
	started.Wait()
	shared := components.loadOrStore(1, func() *countingComponent { return nil })
	for range hosts {
		stopped.Go(func() { assert.NoError(t, shared.Shutdown(t.Context())) })
	}
	stopped.Wait()
	assert.Equal(t, 1, c.starts)
	assert.Equal(t, 1, c.shutdowns)
	for _, host := range hosts {
		assert.NotEmpty(t, host.Statuses())
	}
}
