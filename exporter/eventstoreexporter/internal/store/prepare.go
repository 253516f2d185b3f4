// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"os"

	"go.uber.org/zap"
)

// preparation is a file that is created in the background, because creating one waits for the disk several times.
type preparation struct {
	done   chan struct{}
	writer *writer
}

// prepare starts to create the next file, unless that has already begun.
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
			s.settings.Logger.Debug("cannot create the next file in the background", zap.Error(err))
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

// prepared waits for the next file and returns it. It returns nil if none is being created or if that failed.
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

// removeUnused removes a file without events that an earlier process has left, or what is left of a file that is gone.
func removeUnused(path string) {
	for _, suffix := range suffixes {
		_ = os.Remove(path + suffix) // it takes little, and the next start tries again
	}
}
