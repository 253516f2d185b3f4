// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// otlpSink is an OTLP backend: it accepts logs and metrics over HTTP and keeps them.
type otlpSink struct {
	url string
	// refuse makes the sink answer with "503 Service Unavailable".
	refuse atomic.Bool

	mu      sync.Mutex
	events  []collector.Event
	metrics map[string]bool
}

func newOTLPSink(t *testing.T) *otlpSink {
	s := &otlpSink{metrics: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/logs", s.handle(s.takeLogs))
	mux.HandleFunc("POST /v1/metrics", s.handle(s.takeMetrics))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// handle passes the bodies of requests to take, and answers with its result.
func (s *otlpSink) handle(take func([]byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.refuse.Load() {
			http.Error(w, "no room", http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		response, err := take(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(response)
	}
}

func (s *otlpSink) takeLogs(body []byte) ([]byte, error) {
	request := plogotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, collector.Events(request.Logs())...)
	return plogotlp.NewExportResponse().MarshalProto()
}

func (s *otlpSink) takeMetrics(body []byte) ([]byte, error) {
	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rm := range request.Metrics().ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				s.metrics[m.Name()] = true
			}
		}
	}
	return pmetricotlp.NewExportResponse().MarshalProto()
}

// all returns the events that were accepted so far.
func (s *otlpSink) all() []collector.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]collector.Event(nil), s.events...)
}

// has reports whether a metric of that name was received.
func (s *otlpSink) has(metric string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.metrics[metric]
}
