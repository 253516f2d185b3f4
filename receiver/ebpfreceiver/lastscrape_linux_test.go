// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// What was counted since the last collection is published once at the stop, whichever pipeline stops first.
func TestLastCountsArePublished(t *testing.T) {
	for name, stop := range map[string]func(*scene) error{
		"logs first": func(s *scene) error {
			return errors.Join(s.logs.Shutdown(s.t.Context()), s.metrics.Shutdown(s.t.Context()))
		},
		"metrics first": func(s *scene) error {
			return errors.Join(s.metrics.Shutdown(s.t.Context()), s.logs.Shutdown(s.t.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := fakeConfig(t)
				config.CollectionInterval = time.Hour
				s := newScene(t, config)
				s.source.onScrape = func(b *metrics.Builder) {
					s.source.Note("scrape")
					b.For(nil).RecordEbpfOomKillsDataPoint(b.Now, 7)
				}
				require.NoError(t, s.logs.Start(t.Context(), s.host))
				require.NoError(t, s.metrics.Start(t.Context(), s.host))
				time.Sleep(2 * time.Second) // the controller has scraped once at the start
				before := len(s.published.AllMetrics())
				require.NoError(t, stop(s))
				all := s.published.AllMetrics()
				require.Len(t, all, before+1)
				last := all[before].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
				found := false
				for _, metric := range last.All() {
					if metric.Name() == "ebpf.oom.kills" {
						found = true
						assert.Equal(t, int64(7), metric.Sum().DataPoints().At(0).IntValue())
					}
				}
				assert.True(t, found)
				history := s.source.History()
				assert.Equal(t, []string{"detach", "scrape", "close reader", "close"}, history[len(history)-4:], "the last scrape comes after Detach")
			})
		})
	}
}

// A consumer that refuses the last metrics does not block the shutdown, and the loss is logged.
func TestLastCountsThatNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, fakeConfig(t))
		s.shared.component.metrics = consumertest.NewErr(errBusy)
		s.start()
		require.NoError(t, s.shutdown(time.Second))
		assert.Equal(t, 1, s.log.FilterMessageSnippet("Cannot publish the last metrics").Len())
		assert.Contains(t, s.source.History(), "close")
	})
}
