// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// generator writes records with unique ids to the source of the running receiver.
type generator struct {
	source *fakeSource
	last   atomic.Uint64
}

func (*generator) Start() {}

func (*generator) Stop() {}

func (g *generator) Generate() []receivertest.UniqueIDAttrVal {
	id := g.last.Add(1)
	g.source.Write(id, id)
	return []receivertest.UniqueIDAttrVal{receivertest.UniqueIDAttrVal(strconv.FormatUint(id, 10))}
}

func TestConsumeContract(t *testing.T) {
	g := &generator{}
	config := fakeConfig(t)
	config.Events.BatchSize = 100
	config.Events.EbpfEventLost.Enabled = false // the generator does not write it
	config.RetryOnFailure = configretry.BackOffConfig{
		Enabled: true, InitialInterval: time.Microsecond, Multiplier: 2, MaxInterval: time.Millisecond,
	}
	config.Events.FlushInterval = 10 * time.Millisecond
	receivertest.CheckConsumeContract(receivertest.CheckConsumeContractParams{
		T:      t,
		Signal: pipeline.SignalLogs,
		Config: config,
		Factory: receiver.NewFactory(metadata.Type, createDefaultConfig, receiver.WithLogs(
			func(_ context.Context, set receiver.Settings, config component.Config, next consumer.Logs) (receiver.Logs, error) {
				r := newReceiver(config.(*Config), set)
				r.logs = next
				g.source = newFakeSource()
				r.loadPrograms = func(program.Options) (source, error) { return g.source, nil }
				return r, nil
			}, metadata.LogsStability)),
		Generator:     g,
		GenerateCount: 2000,
	})
}
