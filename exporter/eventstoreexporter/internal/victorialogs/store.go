// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package victorialogs stores events in VictoriaLogs, one server or a cluster. It writes by OTLP and reads by LogsQL.
package victorialogs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Settings are what a Store needs.
type Settings struct {
	// Endpoint is the URL of the server, without a path.
	Endpoint string
	Client   *http.Client
	Logger   *zap.Logger
	// Patience is how long a batch is retried if the server cannot be reached.
	Patience time.Duration
}

// Causes of loss. The store with files has the same names.
const (
	diskFull = "disk_full"
	failed   = "error"
)

const (
	// settleTime is the maximum time until a written event can be found.
	settleTime = 2 * time.Second
	// pollInterval is the interval of the queries for new events.
	pollInterval = time.Second
	// oldestInterval is the interval of the queries for the oldest event.
	oldestInterval = time.Minute
)

// Store keeps events in VictoriaLogs. It implements query.Store.
type Store struct {
	settings Settings
	writing  sync.Mutex
	last     int64 // sequence number, with writing
	stop     chan struct{}
	cancel   context.CancelFunc
	polls    sync.WaitGroup

	mu     sync.Mutex
	stored int64
	// oldest is the time of the oldest event that the server found. written are the oldest times that were written since the last
	// query for it and before that: the server finds an event only some time after it was written.
	oldest  int64
	written [2]int64
	lost    map[string]int64
	failure error
	changed chan struct{}
	closed  bool
}

var _ query.Store = (*Store)(nil)

// Open returns a store on a server, which need not be reachable yet.
func Open(settings Settings) *Store {
	settings.Endpoint = strings.TrimSuffix(settings.Endpoint, "/")
	ctx, cancel := context.WithCancel(context.Background())
	s := &Store{
		settings: settings, stop: make(chan struct{}), cancel: cancel, changed: make(chan struct{}),
		lost: map[string]int64{diskFull: 0, failed: 0},
	}
	s.polls.Go(func() { s.poll(ctx) })
	return s
}

// poll wakes streams, and updates the time of the oldest event.
func (s *Store) poll(ctx context.Context) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	asked := time.Time{}
	for {
		s.mu.Lock()
		close(s.changed)
		s.changed = make(chan struct{})
		known := s.oldest != 0
		s.mu.Unlock()
		if !known || time.Since(asked) > oldestInterval {
			asked = time.Now()
			s.lookForOldest(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *Store) lookForOldest(ctx context.Context) {
	s.mu.Lock()
	if s.oldest != 0 {
		s.written = [2]int64{0, s.written[0]}
	}
	s.mu.Unlock()
	err := s.ask(ctx, own+" | stats min(_time) oldest", span{}, func(row map[string]string) error {
		at, err := time.Parse(time.RFC3339Nano, row["oldest"])
		if err == nil {
			s.mu.Lock()
			s.oldest = at.UnixNano()
			s.mu.Unlock()
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.settings.Logger.Debug("Cannot query the oldest event", zap.Error(err))
	}
}

// Write stores a batch. If the server cannot be reached, it retries for a while; events lost after that are counted.
func (s *Store) Write(ctx context.Context, logs plog.Logs) error {
	count := int64(logs.LogRecordCount())
	if count == 0 {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	body, oldest, err := s.encode(logs)
	if err == nil {
		err = s.deliver(ctx, body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
	switch {
	case err == nil:
		s.stored += count
		s.written[0] = earlier(s.written[0], oldest)
	case strings.Contains(err.Error(), "read-only"): // the server's error if its disk is full
		s.lost[diskFull] += count
	default:
		s.lost[failed] += count
	}
	return err
}

// deliver sends a batch, with retries if they may help.
func (s *Store) deliver(ctx context.Context, body []byte) error {
	began := time.Now()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := s.insert(ctx, body)
		var status *statusError
		if err == nil || ctx.Err() != nil || errors.As(err, &status) && status.code/100 == 4 && status.code != http.StatusTooManyRequests {
			return err
		}
		if time.Since(began)+wait > s.settings.Patience {
			return fmt.Errorf("given up after %v: %w", s.settings.Patience, err)
		}
		s.mu.Lock()
		s.failure = err
		s.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		case <-s.stop:
			return err
		}
	}
}

func (s *Store) insert(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.settings.Endpoint+"/insert/opentelemetry/v1/logs", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	response, err := s.settings.Client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return check(response)
}

// statusError is an answer with an error status.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("VictoriaLogs answers %d: %s", e.code, e.text)
}

func check(response *http.Response) error {
	if response.StatusCode/100 == 2 {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1000)) // as much of the reason as there is
	return &statusError{response.StatusCode, strings.TrimSpace(string(text))}
}

// maxQuery is how long a query may be: the server takes 16 KiB.
const maxQuery = 16_000

// ask runs a query. If a storage node of a cluster cannot be reached, it asks the others, and adds a note.
func (s *Store) ask(ctx context.Context, q string, in span, row func(map[string]string) error) error {
	err := s.run(ctx, q, in, false, row)
	var status *statusError
	if !errors.As(err, &status) || status.code != http.StatusBadGateway {
		return err
	}
	if again := s.run(ctx, q, in, true, row); again != nil {
		return err
	}
	s.settings.Logger.Warn("A storage node of VictoriaLogs does not answer; answers are incomplete", zap.Error(err))
	query.Note(ctx, "a storage node of VictoriaLogs does not answer: its events are missing")
	return nil
}

func (s *Store) run(ctx context.Context, q string, in span, partial bool, row func(map[string]string) error) error {
	if len(q) > maxQuery {
		return &query.RefusedError{Bad: query.Bad{Parameter: "type", Message: "the filters are too long for VictoriaLogs"}}
	}
	form := url.Values{"query": {q}}
	if partial {
		form.Set("allow_partial_response", "1")
	}
	in.set(form)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.settings.Endpoint+"/select/logsql/query", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := s.settings.Client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := check(response); err != nil {
		return err
	}
	for decoder := json.NewDecoder(response.Body); ; {
		var fields map[string]string
		switch err := decoder.Decode(&fields); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the answer of VictoriaLogs: %w", err)
		}
		if err := row(fields); err != nil {
			return err
		}
	}
}

// Changed returns a channel that is closed when it is time to look for further events.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Status describes the store. The server has metrics of its own.
func (s *Store) Status() query.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := s.oldest
	if oldest != 0 {
		oldest = earlier(oldest, earlier(s.written[0], s.written[1]))
	}
	return query.Status{
		Newest: settled(), Stored: s.stored, Oldest: oldest, Lost: maps.Clone(s.lost), Failure: s.failure, Sparse: true,
	}
}

// earlier returns the earlier of two times; 0 means that there is none.
func earlier(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// settled returns the sequence number up to which all events can be found.
func settled() int64 { return time.Now().Add(-settleTime).UnixMicro() }

// Close ends the use of the server.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if !closed {
		close(s.stop)
		s.cancel()
		s.polls.Wait()
		s.settings.Client.CloseIdleConnections()
	}
	return nil
}
