// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"testing"

	"github.com/cilium/ebpf"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// fakeProgram is a program whose object is made by the test.
type fakeProgram struct {
	spec      *ebpf.CollectionSpec
	hooks     []Hook
	variables map[string]any
	events    uint32
	// specErr, loadedErr and scrapeErr are the results of the methods with these names.
	specErr, loadedErr, scrapeErr error

	// maps is the argument of Loaded, appended are the arguments of AppendLog.
	maps     map[string]*ebpf.Map
	appended [][]byte
}

func (p *fakeProgram) Spec() (*ebpf.CollectionSpec, error) { return p.spec, p.specErr }
func (p *fakeProgram) Variables() map[string]any           { return p.variables }
func (p *fakeProgram) Events() uint32                      { return p.events }
func (p *fakeProgram) Hooks() []Hook                       { return p.hooks }
func (p *fakeProgram) Scrape(*metrics.Builder) error       { return p.scrapeErr }

func (p *fakeProgram) Loaded(maps map[string]*ebpf.Map) error {
	p.maps = maps
	return p.loadedErr
}

func (p *fakeProgram) AppendLog(_ *batch.Batch, raw []byte) error {
	p.appended = append(p.appended, raw)
	return nil
}

// define returns a definition of the program under a name.
func (p *fakeProgram) define(name string, needs ...*Definition) *Definition {
	return &Definition{
		Name:          name,
		DefaultConfig: func() Config { return &CommonConfig{Events: true} },
		New:           func(Config, *Host) Program { return p },
		Needs:         needs,
	}
}

// selectAll selects programs with their default configurations.
func selectAll(definitions ...*Definition) (selected []Selected) {
	for _, d := range definitions {
		selected = append(selected, Selected{Definition: d, Config: d.DefaultConfig()})
	}
	return selected
}

const (
	testStart = pcommon.Timestamp(1_700_000_000_000_000_000)
	testNow   = testStart + 10_000_000_000
)

// newTestMetrics returns an empty scrape.
func newTestMetrics(containers *kernel.Containers) *metrics.Builder {
	return metrics.NewBuilder(testStart, testNow, containers, func() *metadata.MetricsBuilder {
		return metadata.NewMetricsBuilder(metadata.NewDefaultMetricsBuilderConfig(),
			receivertest.NewNopSettings(metadata.Type), metadata.WithStartTime(testStart))
	})
}

// points returns the data points of a metric as attributes with the value, which is an int64 or a float64.
func points(t testing.TB, m *metrics.Builder, name string) (all []map[string]any) {
	t.Helper()
	for _, rm := range m.Emit().ResourceMetrics().All() {
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			if metric.Name() != name {
				continue
			}
			for _, point := range metric.Sum().DataPoints().All() {
				attributes := point.Attributes().AsRaw()
				attributes["value"] = point.IntValue()
				if v := point.DoubleValue(); v != 0 {
					attributes["value"] = v
				}
				all = append(all, attributes)
			}
		}
	}
	return all
}
