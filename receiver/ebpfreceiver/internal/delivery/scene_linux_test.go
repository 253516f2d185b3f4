// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadatatest"
)

var (
	errBusy    = errors.New("no room at the moment")
	errForGood = consumererror.NewPermanent(errors.New("refused permanently"))
)

// ignoreTimes ignores times of data points of the receiver's own telemetry.
var ignoreTimes = []metricdatatest.Option{metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars()}

// scene is a loop between a fake source and a fake consumer.
type scene struct {
	t         *testing.T
	source    *deliverytest.Source
	next      *deliverytest.Consumer
	host      *deliverytest.Host
	log       *observer.ObservedLogs
	telemetry *componenttest.Telemetry
	// settings may be changed before the start.
	settings Settings
	loop     *Loop
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{
		t: t, source: deliverytest.NewSource(), next: new(deliverytest.Consumer), host: deliverytest.NewHost(),
		telemetry: componenttest.NewTelemetry(),
	}
	set := metadatatest.NewSettings(s.telemetry)
	var core zapcore.Core
	core, s.log = observer.New(zap.DebugLevel)
	clock, err := kernel.NewClock()
	require.NoError(t, err)
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	require.NoError(t, err)
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{ReceiverID: set.ID, ReceiverCreateSettings: set})
	require.NoError(t, err)
	s.settings = Settings{
		Logger:    zap.New(core),
		Telemetry: telemetry,
		Clock:     clock,
		Batch: batch.Settings{
			Clock:      clock,
			Containers: kernel.NewContainers(kernel.AllFields),
			Resources:  metadata.NewResourceBuilder(metadata.DefaultResourceAttributesConfig()),
			Include:    func(pcommon.Resource) bool { return true },
			ScopeName:  metadata.ScopeName,
			Body:       true,
			Size:       1024,
		},
		FlushInterval: 200 * time.Millisecond,
		Next:          Next{Consumer: s.next, Report: report, Host: s.host, Retry: retries()},
		StateEvents:   true,
		LossEvents:    true,
	}
	t.Cleanup(func() {
		telemetry.Shutdown()
		require.NoError(t, s.telemetry.Shutdown(context.WithoutCancel(t.Context())))
	})
	return s
}

// open creates the loop without starting it.
func (s *scene) open() { s.loop = New(s.settings) }

// start starts the loop.
func (s *scene) start() {
	if s.loop == nil {
		s.open()
	}
	s.loop.Start(s.source, deliverytest.NewReader(s.source))
}

// stop stops the loop with enough time.
func (s *scene) stop() error {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
	defer cancel()
	return s.loop.Stop(ctx)
}

// collectorCounts returns the collector's own counts of accepted and refused log records of the receiver.
func (s *scene) collectorCounts() (accepted, refused int) {
	sum := func(name string) (n int) {
		metric, err := s.telemetry.GetMetric(name)
		if err != nil {
			return 0
		}
		for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
			n += int(point.Value)
		}
		return n
	}
	return sum("otelcol_receiver_accepted_log_records"), sum("otelcol_receiver_refused_log_records")
}

func (s *scene) assertRetries(n int64) {
	s.t.Helper()
	metadatatest.AssertEqualReceiverEbpfBatchRetries(s.t, s.telemetry, []metricdata.DataPoint[int64]{{Value: n}},
		ignoreTimes...)
}

func (s *scene) assertRefusedBatches(n int64) {
	s.t.Helper()
	metadatatest.AssertEqualReceiverEbpfBatchesRefused(s.t, s.telemetry, []metricdata.DataPoint[int64]{{Value: n}},
		ignoreTimes...)
}
