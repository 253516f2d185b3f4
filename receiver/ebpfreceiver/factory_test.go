// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

func TestFactory(t *testing.T) {
	factory := NewFactory()
	assert.Equal(t, metadata.Type, factory.Type())
	assert.Equal(t, component.StabilityLevelAlpha, factory.LogsStability())
	assert.Equal(t, component.StabilityLevelAlpha, factory.MetricsStability())
	assert.Equal(t, component.StabilityLevelUndefined, factory.TracesStability())
	one, other := factory.CreateDefaultConfig(), factory.CreateDefaultConfig()
	assert.NotSame(t, one, other)
}

func TestPipelinesOfOneConfigurationShareOneReceiver(t *testing.T) {
	f := &factory{receivers: newSharedComponents[*Config, *ebpfReceiver]()}
	set := receivertest.NewNopSettings(metadata.Type)
	config := createDefaultConfig()

	sink := new(consumertest.LogsSink)
	logs, err := f.createLogs(t.Context(), set, config, sink)
	require.NoError(t, err)
	metrics, err := f.createMetrics(t.Context(), set, config, consumertest.NewNop())
	require.NoError(t, err)
	assert.Len(t, f.receivers.components, 1)
	assert.Same(t, sink, f.shared(set, config.(*Config)).component.logs)

	other, err := f.createLogs(t.Context(), set, createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	assert.NotSame(t, logs, other)
	assert.Len(t, f.receivers.components, 2)

	// Shutdown without a start, twice, in any order.
	require.NoError(t, other.Shutdown(t.Context()))
	for range 2 {
		require.NoError(t, metrics.Shutdown(t.Context()))
		require.NoError(t, logs.Shutdown(t.Context()))
	}
	assert.Empty(t, f.receivers.components)
}

func TestMetricsOnlyReceiverHasNoLogsConsumer(t *testing.T) {
	f := &factory{receivers: newSharedComponents[*Config, *ebpfReceiver]()}
	config := createDefaultConfig().(*Config)
	set := receivertest.NewNopSettings(metadata.Type)
	metrics, err := f.createMetrics(t.Context(), set, config, consumertest.NewNop())
	require.NoError(t, err)
	assert.Nil(t, f.shared(set, config).component.logs)
	require.NoError(t, metrics.Shutdown(t.Context()))
}
