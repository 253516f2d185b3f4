// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// When the collector restarts, the page says so, connects again, and misses nothing.
func TestReconnect(t *testing.T) {
	s := start(t)
	port := refused(t, 2)
	s.events(t, connects(port), 2)
	b := open(t, s, "/?"+connects(port), wide)
	b.expected = []string{"ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET"}
	b.waitRows(2)
	stopped := true
	require.NoError(t, s.collector.Stop())
	t.Cleanup(func() {
		if stopped { // the other tests need it
			assert.NoError(t, s.begin())
		}
	})
	b.wait("document.querySelector('#status').textContent.startsWith('Reconnecting')")
	assert.Contains(t, b.text("#notices"), "The collector does not answer.")
	assert.Len(t, b.rows(), 2, "what is known stays")
	b.screenshot("reconnecting")
	require.NoError(t, s.begin())
	stopped = false
	refusedAt(t, port, 3)
	events := s.events(t, connects(port), 5)
	b.requireShown(events)
	assert.Equal(t, "Live", b.text("#status"))
	assert.Contains(t, b.text("#notices"), "Connected again at ")
	assert.NotContains(t, b.text("#notices"), "does not answer")
}

// The tab responds while 10,000 events arrive per second. Events that the table skips are counted, and all are stored.
func TestFast(t *testing.T) {
	s := start(t)
	const (
		perBatch = 1000
		batches  = 40
		command  = "fast-stream"
	)
	b := open(t, s, "/?command="+command, wide)
	b.wait("document.querySelector('#status').dataset.state === 'live'")
	var took []time.Duration
	ticker := time.NewTicker(time.Second * perBatch / 10_000)
	defer ticker.Stop()
	begin := time.Now()
	sent := make(chan error, 1)
	go func() {
		var errs []error
		for i := range batches {
			<-ticker.C
			errs = append(errs, s.send(connectEvents(command, i*perBatch, perBatch)))
		}
		sent <- errors.Join(errs...)
	}()
	for isSending := true; isSending; {
		asked := time.Now()
		assert.LessOrEqual(t, eval[int](b, "document.querySelectorAll('#rows > tr').length"), 300)
		took = append(took, time.Since(asked))
		select {
		case err := <-sent:
			require.NoError(t, err)
			isSending = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	seconds := time.Since(begin).Seconds()
	slices.Sort(took)
	median := took[len(took)/2]
	t.Logf("%d events in %.1f s; the tab answered %d times, in %s (median), %s (longest)", batches*perBatch, seconds, len(took), median, took[len(took)-1])
	assert.Less(t, median, testenv.Patiently(200*time.Millisecond))

	var summary struct{ Total int }
	require.Eventually(t, func() bool {
		s.ask(t, "/api/summary?command="+command, &summary)
		return summary.Total == batches*perBatch
	}, patience, 100*time.Millisecond)
	b.wait(fmt.Sprintf("document.querySelector('#rows .c-body')?.textContent === %q", fmt.Sprintf("event %d", batches*perBatch-1)))
	assert.Len(t, b.rows(), 300)
	assert.Regexp(t, `^[\d,]+ events came in too fast to be shown\.`, b.text("#skipped"))
	b.wait(fmt.Sprintf("document.querySelector('#chart-rows .columns :last-child').textContent === '%dk'", batches*perBatch/1000))
}

// connectEvents makes events like those of the receiver.
func connectEvents(command string, first, count int) plog.Logs {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	records.EnsureCapacity(count)
	for i := first; i < first+count; i++ {
		lr := records.AppendEmpty()
		lr.SetEventName("ebpf.connection.connect")
		lr.SetTimestamp(pcommon.NewTimestampFromTime(now()))
		lr.SetSeverityNumber(plog.SeverityNumberInfo)
		lr.SetSeverityText("INFO")
		lr.Body().SetStr(fmt.Sprintf("event %d", i))
		a := lr.Attributes()
		a.PutStr("network.transport", "tcp")
		a.PutStr("network.type", "ipv4")
		a.PutStr("client.address", "192.0.2.1")
		a.PutInt("client.port", int64(i%60000))
		a.PutStr("server.address", "192.0.2.2")
		a.PutInt("server.port", 443)
		a.PutStr("ebpf.connection.role", "client")
		a.PutDouble("ebpf.connection.handshake.duration", 0.0001)
		a.PutInt("process.pid", 4712)
		a.PutStr("process.executable.name", command)
		a.PutInt("ebpf.socket.cookie", int64(i))
		a.PutInt("ebpf.network.namespace", 4026531840)
	}
	return logs
}
