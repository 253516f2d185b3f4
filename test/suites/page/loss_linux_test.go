// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// about is the part of each answer about the store.
type about struct {
	Evicted int64
	Lost    map[string]int64
}

// ownServer starts a server with settings of its own for the event store, which gets the events of one command.
func ownServer(t *testing.T, command, settings string) *server {
	t.Helper()
	start(t) // the browser
	s, err := newServer(testenv.Collector(t), t.TempDir(), []string{command}, settings)
	require.NoError(t, err)
	t.Cleanup(s.kill)
	return s
}

// If events could not be stored, the page shows their number and the cause.
func TestLost(t *testing.T) {
	s := ownServer(t, "lost", "sending_queue: {sizer: requests, queue_size: 1, batch: {enabled: false}}")
	// Many batches at once, of which the queue accepts one.
	const at, size = 16, 2000
	refused := 0
	var answer about
	for first := 0; refused == 0 && first < 50*at*size; first += at * size {
		results := make(chan error, at)
		for i := range at {
			logs := connectEvents("lost", first+i*size, size)
			go func() { results <- s.send(logs) }()
		}
		for range at {
			if <-results != nil {
				refused++
			}
		}
	}
	require.Positive(t, refused)
	s.ask(t, "/api/events?limit=1", &answer)
	lost := answer.Lost["queue_full"]
	assert.InDelta(t, refused*size+50, lost, 50, "besides, the receiver ebpf says that its programs run")
	assert.Zero(t, answer.Lost["disk_full"]+answer.Lost["error"])
	b := open(t, s, "/", wide)
	b.wait(fmt.Sprintf("document.querySelector('#notices [data-key=lost]')?.textContent.replaceAll(',', '') === "+
		"'%[1]d events could not be stored since the start (queue_full %[1]d). The page is incomplete.'", lost))
	assert.Equal(t, "warn", eval[string](b, "document.querySelector('#notices [data-key=lost]').dataset.level"))
	assert.NotContains(t, b.text("#store"), "lost none")
	b.screenshot("lost")
}

// If events of the window were evicted, the page says so, with their number.
func TestEvicted(t *testing.T) {
	s := ownServer(t, "evicted", "max_size: 16MiB")
	const size = 5000
	var answer about
	for first := 0; answer.Evicted == 0; first += size {
		require.Less(t, first, 100*size, "nothing is removed")
		require.NoError(t, s.send(connectEvents("evicted", first, size)))
		s.ask(t, "/api/events?limit=1", &answer)
	}
	var before about
	require.Eventually(t, func() bool { // all is stored
		before = answer
		time.Sleep(testenv.Patiently(500 * time.Millisecond))
		s.ask(t, "/api/events?limit=1", &answer)
		return before.Evicted == answer.Evicted
	}, patience, time.Millisecond)
	b := open(t, s, "/?since=7d", wide)
	b.wait(fmt.Sprintf("document.querySelector('#store').textContent.replaceAll(',', '').endsWith('; %d older events removed; the store lost none.')", answer.Evicted))
	b.wait("document.querySelector('#notices [data-key=reach]')?.textContent.endsWith('Older events were removed: see max_size and max_age.')")
	assert.Equal(t, "info", eval[string](b, "document.querySelector('#notices [data-key=reach]').dataset.level"))
}
