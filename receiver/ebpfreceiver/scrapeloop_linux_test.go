// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// Without a metrics pipeline, the receiver scrapes only if a program emits events from scrapes.
func TestScrapeLoop(t *testing.T) {
	for name, tt := range map[string]struct {
		programs string
		logs     bool
		scraped  bool
		want     bool
	}{
		"logs alone":           {"{file_descriptor: {}}", true, false, true},
		"among others":         {"{connection: {}, file_descriptor: {}}", true, false, true},
		"with metrics":         {"{file_descriptor: {}}", true, true, false},
		"metrics alone":        {"{file_descriptor: {}}", false, true, false},
		"no events":            {"{file_descriptor: {events: false}}", true, false, false},
		"no events of scrapes": {"{connection: {}}", true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := fakeConfig(t)
				config.Programs = mustLoad(t, "programs: "+tt.programs).Programs
				config.CollectionInterval = 10 * time.Second
				s := newScene(t, config)
				if !tt.scraped {
					s.shared.component.metrics = nil
				}
				if !tt.logs {
					s.shared.component.logs = nil
				}
				var scrapes atomic.Int32
				s.source.onScrape = func(*metrics.Builder) { scrapes.Add(1) }
				s.start()
				deliverytest.Pass(61 * time.Second)
				if tt.want {
					assert.EqualValues(t, 6, scrapes.Load())
				} else {
					assert.Zero(t, scrapes.Load())
				}
				require.NoError(t, s.shutdown(time.Second))
				before := scrapes.Load()
				deliverytest.Pass(time.Minute)
				assert.Equal(t, before, scrapes.Load())
			})
		})
	}
}

func TestScrapeLoopLogsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := fakeConfig(t)
		config.Programs = mustLoad(t, "programs: {file_descriptor: {}}").Programs
		s := newScene(t, config)
		s.shared.component.metrics = nil
		s.source.scrapeErr = errNoPrograms
		s.start()
		deliverytest.Pass(config.CollectionInterval + time.Second)
		assert.Equal(t, 1, s.log.FilterMessageSnippet("Scrape for events failed").Len())
		require.NoError(t, s.shutdown(time.Second))
	})
}

// The receiver knows whether a metrics pipeline scrapes it.
func TestScrapedByMetricsPipeline(t *testing.T) {
	s := newScene(t, fakeConfig(t))
	assert.NotNil(t, s.shared.component.metrics)
}
