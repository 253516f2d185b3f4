// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// Streaming clients that do not read take a bounded amount of memory, and block neither the writer nor other clients.
func TestSlowClients(t *testing.T) {
	s := start(t)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	s.fill(t)
	before := heap()
	const clients = 200
	for range clients {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4096))
		_, err = io.WriteString(conn, "GET /api/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.NoError(t, err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/events/stream?type=packet_drop&limit=1", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	reads, lines := make(chan int), bufio.NewScanner(response.Body)
	go func() {
		defer close(reads)
		events := 0
		for events <= 400 && lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data: ") {
				events++
			}
			if events > 400 {
				reads <- events
			}
		}
	}()
	const batches = 8
	var longest time.Duration
	for i := range batches {
		began := time.Now()
		require.NoError(t, s.Write(t.Context(), storetest.Logs(6000+i*1000, 1000)))
		longest = max(longest, time.Since(began))
	}
	select {
	case <-reads:
	case <-time.After(time.Minute):
		t.Error("who reads does not get all")
	}
	grown := heap() - before
	t.Logf("%d KiB for each client, the longest write took %v", grown/clients>>10, longest)
	assert.Less(t, grown/clients, int64(300<<10), "bytes of memory for each client")
	assert.Less(t, longest, 5*time.Second)
}
