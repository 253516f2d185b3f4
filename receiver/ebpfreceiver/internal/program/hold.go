// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// unreachableLimit is the event limit of a program without one whose events may be held back: the BPF side checks the window of a
// limit only where there is one.
const unreachableLimit = 1 << 62

// heldWindow is the window of an event limit that nothing passes: its second never ends, and its count is above every limit.
var heldWindow = common.EventWindow{Start: math.MaxInt64 / 2, Count: math.MaxInt64}

// mapEventShares is the map of a program's shares of its event limit, by kind of event (bpf/include/shares.h).
const mapEventShares = "event_shares"

// hold says whether the events of a program are held back, and counts them: the counter of the event limit has them, too.
type hold struct {
	mu sync.Mutex
	on bool
	// before is what was held back earlier; since is the counter of the event limit at the beginning of the present time.
	before, since uint64
}

func (h *hold) isOn() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.on
}

// heldOf returns how many of the events that the limit has stopped were held back.
func (h *hold) heldOf(limited uint64) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on {
		return h.before + limited - h.since
	}
	return h.before
}

func (h *hold) set(on bool, limited uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on && !on {
		h.before += limited - h.since
	}
	h.on, h.since = on, limited
}

// setHold holds the events of a program back, or lets them pass again.
func (s *Set) setHold(l *loaded, on bool) error {
	h := &s.holds[l.number]
	if h.isOn() == on {
		return nil
	}
	counts, _, err := s.lossesOf(l)
	if err != nil {
		return err
	}
	limited := counts[lossRateLimit] + counts[lossOverheadLimit]
	if on {
		h.set(true, limited)
		return s.hold(l)
	}
	err = s.writeWindows(l, common.EventWindow{})
	h.set(false, limited)
	return err
}

// Hold holds events back again that a CPU may have let through: it begins the next second of a window in two steps, between which
// that of the hold was written.
func (s *Set) Hold() error {
	var errs []error
	for _, l := range s.counted() {
		if s.holds[l.number].isOn() {
			errs = append(errs, s.hold(l))
		}
	}
	return errors.Join(errs...)
}

func (s *Set) hold(l *loaded) error { return s.writeWindows(l, heldWindow) }

func (s *Set) writeWindows(l *loaded, w common.EventWindow) error {
	if err := s.shared.maps[common.MapEventWindows].Put(l.number, &w); err != nil {
		return fmt.Errorf("write map %s: %w", common.MapEventWindows, err)
	}
	return l.writeShares(w)
}

// writeShares writes the windows of the program's kinds of events, if it has any.
func (l *loaded) writeShares(w common.EventWindow) error {
	shares := l.maps[mapEventShares]
	if shares == nil {
		return nil
	}
	for kind := range shares.MaxEntries() {
		if err := shares.Put(kind, &w); err != nil {
			return fmt.Errorf("write map %s: %w", mapEventShares, err)
		}
	}
	return nil
}
