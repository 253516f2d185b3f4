// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// Levels returns the names of the programs that the configuration asks for, and the levels of each.
func (s *Set) Levels() (names []string, levels map[string][]Level) {
	levels = map[string][]Level{}
	for _, l := range s.all() {
		if l.need {
			continue
		}
		has := []Level{LevelFull}
		if s.options.Emit != nil && l.config.Common().Events {
			has = append(has, LevelEventsOff)
		}
		if l.definition.Sampled {
			has = append(has, LevelSampled)
		}
		names = append(names, l.definition.Name)
		levels[l.definition.Name] = append(has, LevelDetached)
	}
	return names, levels
}

// SetLevel changes the level of a program. Nothing else may call it, or Open, meanwhile.
func (s *Set) SetLevel(name string, level Level, reason string) error {
	l, err := s.find(name)
	if err != nil {
		return err
	}
	if level == LevelDetached {
		err = s.leave(l)
	} else {
		if l.level == LevelDetached {
			err = s.withTypes(func(k *Kernel) (err error) {
				l, err = s.comeBack(l, k)
				return err
			})
			if err != nil {
				return err
			}
		}
		// What is held back and what is sampled are apart: a program without events has no hold.
		err = errors.Join(s.setHold(l, level != LevelFull), l.setLinks(level != LevelSampled))
	}
	l.level = level
	s.options.Report(State{Program: name, Name: level.String(), Reason: reason, Err: err})
	return err
}

// Open attaches a sampled program, or detaches it again.
func (s *Set) Open(name string, open bool) error {
	l, err := s.find(name)
	if err != nil {
		return err
	}
	return l.setLinks(open)
}

func (s *Set) find(name string) (*loaded, error) {
	for _, l := range s.all() {
		if l.definition.Name == name && !l.need {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no program %s", name)
}

// leave detaches a program, and what only it needs. It stays in the list until it comes back, for what was lost of it.
func (s *Set) leave(l *loaded) error {
	err := s.handOver(l)
	s.scraping.Lock()
	err = errors.Join(err, l.detach())
	s.scraping.Unlock()
	s.options.Publish()
	l.away.Store(true)
	return errors.Join(err, s.dropNeeds(l))
}

// handOver attaches what tracks sockets for others in place of a program that does it, and is about to leave.
func (s *Set) handOver(l *loaded) error {
	if !l.tracksSockets() {
		return nil
	}
	l.handsOver = true
	var errs []error
	for _, need := range s.all() {
		if need.need && !need.definition.First && need.shared == l.shared && s.isNeeded(need, l) {
			errs = append(errs, s.withTypes(func(k *Kernel) error { return s.attachAgain(need, k) }))
		}
	}
	return errors.Join(errs...)
}

// attachAgain replaces a program that others need by one that has all of its hooks, and finds the sockets of before.
func (s *Set) attachAgain(need *loaded, kernel *Kernel) error {
	instead, err := s.attach(Selected{need.definition, need.config}, need.number, place{kernel, need.shared})
	if err != nil {
		return err
	}
	instead.need = true
	s.replace(need, instead)
	return s.drop(need)
}

// isNeeded reports whether an attached program other than the given one needs a program.
func (s *Set) isNeeded(need, besides *loaded) bool {
	return slices.ContainsFunc(s.all(), func(l *loaded) bool {
		return l != besides && !l.away.Load() && l.shared == need.shared && slices.Contains(l.definition.Needs, need.definition)
	})
}

// drop detaches and frees a program that has no telemetry.
func (s *Set) drop(l *loaded) error {
	s.scraping.Lock()
	defer s.scraping.Unlock()
	return errors.Join(l.detach(), l.close())
}

// dropNeeds drops the programs that nobody needs after one has left. Those that are First stay: they know what was before.
func (s *Set) dropNeeds(left *loaded) error {
	var errs []error
	for _, need := range s.all() {
		if !need.need || need.definition.First || need.shared != left.shared || s.isNeeded(need, left) {
			continue
		}
		s.remove(func(l *loaded) bool { return l == need })
		errs = append(errs, s.drop(need))
		s.options.Report(State{Program: need.definition.Name, Name: StateDetached})
	}
	return errors.Join(errs...)
}

// comeBack loads and attaches a program that has left, as at the start. Nothing is left of what it knew then: it would be wrong by
// now. Its series end, and begin again.
func (s *Set) comeBack(old *loaded, kernel *Kernel) (*loaded, error) {
	s.options.Publish()
	at, err := s.placeAgain(old, kernel)
	if err != nil {
		return nil, err
	}
	l, err := s.attach(Selected{old.definition, old.config}, old.number, at)
	if err != nil {
		return nil, errors.Join(err, s.closeFork(at.shared))
	}
	l.addMissed(old.misses())
	s.replace(old, l)
	s.retire(old)
	for _, need := range old.definition.Needs {
		if need.First || at.shared == s.shared {
			continue // it is there
		}
		one, err := s.addTo(Selected{need, need.DefaultConfig()}, at)
		if err != nil {
			return l, err
		}
		one.need = true
	}
	return l, nil
}

// placeAgain returns where a program comes back to. What is known of sockets is out of date for it, so it gets maps of its own.
func (s *Set) placeAgain(old *loaded, kernel *Kernel) (place, error) {
	if !old.readsSockets {
		return place{kernel, s.shared}, nil
	}
	fork, err := s.shared.fork(kernel.BTF, old.definition.Listeners)
	return place{kernel, fork}, err
}

// withTypes calls f with a kernel whose types can be read, as loading takes it.
func (s *Set) withTypes(f func(*Kernel) error) error {
	types, err := s.options.LoadBTF()
	if err != nil {
		return err
	}
	defer types.Close()
	kernel := *s.options.Kernel
	kernel.BTF = types
	return f(&kernel)
}

// retire frees a program that was replaced, once no record of it is being decoded.
func (s *Set) retire(l *loaded) {
	s.mu.Lock()
	s.retired = append(s.retired, l)
	s.mu.Unlock()
	free := func() {
		s.scraping.Lock()
		defer s.scraping.Unlock()
		for _, l := range s.takeRetired() {
			if err := s.release(l); err != nil {
				s.options.Logger.Warn("Cannot free a program that was replaced", zap.String("program", l.definition.Name), zap.Error(err))
			}
		}
	}
	if s.options.Emit == nil {
		free()
		return
	}
	// Events are appended by the goroutine that decodes records. If it has no room now, Close frees the program.
	s.options.Emit(func(*batch.Batch) { free() })
}

func (s *Set) takeRetired() []*loaded {
	s.mu.Lock()
	defer s.mu.Unlock()
	retired := s.retired
	s.retired = nil
	return retired
}

// release frees a program that is detached, and the maps that only it shares with what it needs.
func (s *Set) release(l *loaded) error {
	err := l.close()
	if l.need {
		return err
	}
	return errors.Join(err, s.closeFork(l.shared))
}

func (s *Set) closeFork(shared *shared) error {
	if shared == s.shared {
		return nil
	}
	return shared.close()
}

// counted returns the programs by whose numbers events and losses are counted, each number once.
func (s *Set) counted() (counted []*loaded) {
	var seen [common.MaxPrograms]bool
	for _, l := range s.all() {
		if !seen[l.number] {
			seen[l.number] = true
			counted = append(counted, l)
		}
	}
	return counted
}
