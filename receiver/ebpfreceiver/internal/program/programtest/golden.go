// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package programtest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/plogtest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// update rewrites the golden files and the recorded records. A test with this flag fails, so that the flag is not left
// on.
var update = flag.Bool("update", false, "rewrite the files in testdata")

// CompareLogs compares logs with a golden file in testdata, except for the observed time.
func CompareLogs(t *testing.T, file string, logs plog.Logs) {
	t.Helper()
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				require.NotZero(t, lr.ObservedTimestamp())
				lr.SetObservedTimestamp(0)
			}
		}
	}
	path := filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, golden.WriteLogs(t, path, logs))
	}
	want, err := golden.ReadLogs(path)
	require.NoError(t, err)
	require.NoError(t, plogtest.CompareLogs(want, logs, plogtest.IgnoreResourceLogsOrder()))
}

// Start is the start time of NewMetrics.
const Start = pcommon.Timestamp(1_700_000_000_000_000_000)

// NewMetrics returns an empty scrape of the host at that time.
func NewMetrics(host *program.Host, now pcommon.Timestamp, config metadata.MetricsConfig) *metrics.Builder {
	builder := metadata.NewDefaultMetricsBuilderConfig()
	builder.Metrics = config
	return metrics.NewBuilder(Start, now, host.Containers, func() *metadata.MetricsBuilder {
		return metadata.NewMetricsBuilder(builder, receivertest.NewNopSettings(metadata.Type), metadata.WithStartTime(Start))
	})
}

// CompareMetrics compares metrics with a golden file in testdata, in any order.
func CompareMetrics(t *testing.T, file string, metrics pmetric.Metrics) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, golden.WriteMetrics(t, path, metrics, golden.SkipMetricTimestampNormalization()))
	}
	want, err := golden.ReadMetrics(path)
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(want, metrics,
		pmetrictest.IgnoreResourceMetricsOrder(), pmetrictest.IgnoreMetricsOrder(), pmetrictest.IgnoreMetricDataPointsOrder()))
	checkWithoutAttributes(t, metrics)
}

// AssertSound checks the properties that every log record must have.
func AssertSound(t testing.TB, logs plog.Logs) {
	t.Helper()
	for _, rl := range logs.ResourceLogs().All() {
		for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
			require.NotEmpty(t, lr.EventName())
			require.NotEmpty(t, lr.SeverityText())
			require.True(t, utf8.ValidString(lr.Body().AsString()), "%q", lr.Body().AsString())
			keys := map[string]bool{}
			for key, value := range lr.Attributes().All() {
				require.False(t, keys[key], "duplicate attribute %s", key)
				keys[key] = true
				if value.Type() == pcommon.ValueTypeStr {
					require.NotEmpty(t, value.Str(), "unknown attributes must be absent: %s", key)
					require.True(t, utf8.ValidString(value.Str()), "%s: %q", key, value.Str())
				}
			}
		}
	}
}
