// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"os"

	"go.uber.org/zap"
)

// preparation is a file that is made beside the writer: to make one, the disk must be waited for several times.
type preparation struct {
	done   chan struct{}
	writer *writer
}

// prepare makes the file that comes after the one at work, unless it is being made already.
func (s *Store) prepare() {
	if s.next != nil && !s.next.hasFailed() {
		return
	}
	_, _, records := s.writer.span()
	number := s.writer.first + records
	p := &preparation{done: make(chan struct{})}
	s.next = p
	now := s.settings.Now()
	s.background.Go(func() {
		defer close(p.done)
		w, err := create(s.settings.Directory, number, now)
		if err != nil { // it is tried again
			s.settings.Logger.Debug("no file was made for the next events", zap.Error(err))
			return
		}
		p.writer = w
	})
}

func (p *preparation) isDone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *preparation) isReady() bool   { return p.isDone() && p.writer != nil }
func (p *preparation) hasFailed() bool { return p.isDone() && p.writer == nil }

// prepared returns the next file when it is made. It returns nil if none is being made or that fails.
func (s *Store) prepared() *writer {
	if s.next == nil {
		return nil
	}
	<-s.next.done
	w := s.next.writer
	s.next = nil
	if w != nil && w.check() != nil { // somebody has deleted it
		_ = errors.Join(w.close(), w.remove()) // it has nothing
		return nil
	}
	return w
}

// removeUnused removes a file that was made by a process that has ended before it had events.
func removeUnused(path string) {
	for _, suffix := range suffixes {
		_ = os.Remove(path + suffix) // it takes little, and the next start tries again
	}
}
