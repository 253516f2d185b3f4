// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

const (
	// streamPart is how many events are read at a time. It bounds the memory for a client that does not read.
	streamPart = 50
	// maxBehind is how many events a client may be behind. Then events are skipped, and it gets their number.
	maxBehind = 50_000
	// maxBehindTime is the same for a store that does not number its events.
	maxBehindTime = time.Minute
	// keepAlive is the interval at which something is sent in any case.
	keepAlive = 15 * time.Second
	// patience is how long a client may stop reading before it is disconnected.
	patience = time.Minute
)

func (a *api) stream() {
	op := a.operation(http.MethodGet, "/api/events/stream", "stream-events", "Receive events as they come in",
		query.Parameters("backfill", "from"))
	op.Description += " Server-sent events: the last ones first, as many as the limit says, or those after the number in the " +
		"header Last-Event-ID. A comment says what a client that reads too slowly has missed."
	op.Responses = map[string]*huma.Response{"200": {Description: "Events", Content: map[string]*huma.MediaType{
		"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}}
	getStream(a, op, a.answerStream)
}

// subscriber is a client of a stream.
type subscriber struct {
	api    *api
	ctx    huma.Context
	w      *bufio.Writer
	rc     *http.ResponseController
	filter query.Filter
	// filters are the parameters of the filter, "" if other clients with the same ones get other events.
	filters string
	after   int64
	// notes say why events may be missing. noted is the number of notes that were sent.
	noting context.Context //nolint:containedctx // it is that of the one request
	notes  *query.Notes
	noted  int
}

var errEnd = errors.New("the stream has ended")

func (a *api) answerStream(ctx huma.Context, r *query.Request) error {
	w, ok := ctx.BodyWriter().(http.ResponseWriter)
	if !ok {
		return errors.New("the connection cannot be streamed to")
	}
	s := &subscriber{api: a, ctx: ctx, w: bufio.NewWriter(w), rc: http.NewResponseController(w), filter: r.Filter}
	s.noting, s.notes = query.WithNotes(ctx.Context())
	if r.Since.IsZero() && r.Until.IsZero() && !a.Store.Status().Sparse {
		url := ctx.URL()
		values := url.Query()
		values.Del("limit")
		values.Del("after")
		s.filters = "?" + values.Encode()
	}
	var backfill []byte
	if known, ok := lastKnown(r.After, ctx.Header("Last-Event-ID")); ok {
		s.after = known
		if newest := a.Store.Status().Newest; known > newest {
			s.after = newest // the store was emptied meanwhile
		}
	} else {
		s.after = a.Store.Status().Newest
		part, err := s.read(place{s.filters, s.after, r.Limit}, func() (part, error) {
			page, err := a.Store.Events(s.noting, query.Events{
				Filter: r.Filter, Limit: r.Limit, After: &query.Cursor{Time: 1<<63 - 1, Sequence: 1<<63 - 1, Newest: s.after},
			})
			slices.Reverse(page.Events)
			return part{encoded: encodeStream(page.Events)}, err
		})
		if err != nil {
			return err
		}
		backfill = part.encoded
	}
	ctx.SetHeader("Content-Type", "text/event-stream")
	ctx.SetHeader("Cache-Control", "no-store")
	if ctx.Method() == http.MethodHead { // the answer has no events
		return nil
	}
	if err := s.send(backfill); err == nil {
		err = s.follow()
		_ = err // the client has left, or the collector ends
	}
	return nil
}

// lastKnown returns the last event that a client has: from the header after a reconnect, otherwise from the parameter.
func lastKnown(texts ...string) (last int64, ok bool) {
	for _, text := range texts {
		if number, err := strconv.ParseInt(text, 10, 64); err == nil && number >= 0 {
			last, ok = max(last, number), true
		}
	}
	return last, ok
}

// follow sends events as they arrive. While the client does not read, no events are read or kept for it.
func (s *subscriber) follow() error {
	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()
	for {
		changed := s.api.Store.Changed()
		for more := true; more; {
			var err error
			if more, err = s.part(); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-ticker.C:
			if err := s.comment("nothing new"); err != nil {
				return err
			}
		case <-s.ctx.Context().Done():
			return errEnd
		case <-s.api.Done:
			return errEnd
		}
	}
}

// part sends some events, and reports whether there may be more.
func (s *subscriber) part() (bool, error) {
	if err := s.catchUp(); err != nil {
		return false, err
	}
	read, err := s.read(place{filters: s.filters, after: s.after}, func() (part, error) {
		events, next, err := s.api.Store.Follow(s.noting, query.Follow{Filter: s.filter, After: s.after, Limit: streamPart})
		return part{encodeStream(events), next, len(events) == streamPart}, err
	})
	if err != nil {
		return false, err
	}
	s.after = read.next
	// Others may have read this part before the newest events came. In a sparse store there is always something newer: the time.
	status := s.api.Store.Status()
	more := read.more || s.filters != "" && !status.Sparse && s.after < status.Newest
	return more, s.send(read.encoded)
}

// read returns a part of the stream, which another client with the same filters may have read already.
func (s *subscriber) read(at place, read func() (part, error)) (p part, err error) {
	err = s.api.turn(s.noting, func() (err error) {
		if known, ok := s.api.shared.get(at); ok {
			p = known
			return nil
		}
		if p, err = read(); err == nil {
			s.api.shared.put(at, p)
		}
		return err
	})
	return p, err
}

// catchUp skips events if the client is too far behind.
func (s *subscriber) catchUp() error {
	status := s.api.Store.Status()
	limit := int64(maxBehind)
	if status.Sparse {
		limit = maxBehindTime.Microseconds()
	}
	behind := status.Newest - s.after
	if behind <= limit {
		return nil
	}
	skip := behind - limit/2
	s.after += skip
	of := fmt.Sprintf("%d events", skip)
	if status.Sparse {
		of = fmt.Sprintf("the events of %v", time.Duration(skip)*time.Microsecond)
	}
	return s.comment("missed: of " + of + ", those that match were left out, because they were not read in time")
}

// encodeStream writes events as server-sent events.
func encodeStream(events []event.Event) []byte {
	var b bytes.Buffer
	for i := range events {
		fmt.Fprintf(&b, "id: %d\ndata: ", events[i].Sequence)
		_ = writeJSON(&b, makeEvent(&events[i])) // which ends the line; a buffer takes all
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func (s *subscriber) send(part []byte) error {
	notes := s.notes.All()
	for _, note := range notes[s.noted:] {
		if _, err := s.w.WriteString(": partial: " + note + "\n\n"); err != nil {
			return err
		}
	}
	s.noted = len(notes)
	if _, err := s.w.Write(part); err != nil {
		return err
	}
	return s.flush()
}

func (s *subscriber) comment(text string) error {
	if _, err := s.w.WriteString(": " + text + "\n\n"); err != nil {
		return err
	}
	return s.flush()
}

func (s *subscriber) flush() error {
	// The server's own deadline is for answers that end.
	if err := s.rc.SetWriteDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	return s.rc.Flush()
}
