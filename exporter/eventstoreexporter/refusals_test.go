// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package eventstoreexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// A batch is lost once, however often it is refused, and not at all if it is accepted in the end.
func TestRefusals(t *testing.T) {
	now := time.Now()
	r := newRefusals()
	r.now = func() time.Time { return now }
	check := func(wantLost, wantNotStored int64) {
		t.Helper()
		lost, notStored := r.counts()
		assert.Equal(t, wantLost, lost)
		assert.Equal(t, wantNotStored, notStored)
	}
	first, second := storetest.Logs(0, 10), storetest.Logs(10, 5)
	r.offered(second)
	check(0, 0)
	r.refuse(first)
	r.refuse(second)
	check(0, 15)
	now = now.Add(45 * time.Second)
	again := plog.NewLogs() // a sender keeps a copy
	first.CopyTo(again)
	r.refuse(again)
	check(0, 15)
	now = now.Add(45 * time.Second)
	check(5, 15)
	r.offered(again)
	check(5, 5)
	r.refuse(first)
	now = now.Add(2 * comesAgain)
	r.offered(first) // too late: a counter does not decrease
	check(15, 15)
	for i := range maxPending + 3 {
		r.refuse(storetest.Logs(100+i, 1))
	}
	check(18, 15+maxPending+3)
	assert.Len(t, r.pending, maxPending)
}

// Events that the queue refuses are counted: in the answers at once, in the metric if they are not retried. A sender that retries until
// there is room loses nothing.
func TestQueueFull(t *testing.T) {
	one, _, _ := begin(t, func(c *Config) {
		queue := exporterhelper.NewDefaultQueueConfig()
		queue.Sizer, queue.QueueSize, queue.NumConsumers = exporterhelper.RequestSizerTypeItems, 100, 1
		c.QueueConfig = configoptional.Some(queue)
	})
	e := one.(*eventStore) //nolint:forcetypeassert // it is what the factory makes
	require.Error(t, e.ConsumeLogs(t.Context(), storetest.Logs(0, 1000)))
	assert.Equal(t, int64(1000), e.store.Status().Lost[queueFull])
	e.refusals.now = func() time.Time { return time.Now().Add(2 * comesAgain) }
	lost, _ := e.refusals.counts()
	assert.Equal(t, int64(1000), lost)
	e.refusals.now = time.Now

	const batches, size = 300, 50
	refused := 0
	for i := range batches {
		for logs := storetest.Logs(10_000+i*size, size); e.ConsumeLogs(t.Context(), logs) != nil; time.Sleep(time.Millisecond) {
			refused++
		}
	}
	assert.Positive(t, refused)
	assert.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, int64(batches*size), e.store.Status().Stored) }, 10*time.Second, 10*time.Millisecond)
	assert.Equal(t, int64(1000), e.store.Status().Lost[queueFull])
}
