// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// subsystemShift is SKB_DROP_REASON_SUBSYS_SHIFT: the upper 16 bits of a reason are the number of its subsystem.
	subsystemShift = 16
	reasonMask     = 1<<subsystemShift - 1

	// maxUnknownReasons bounds the cache of reasons without a name.
	maxUnknownReasons = 256

	// refreshInterval is the least time between two searches for what modules loaded since then have added.
	refreshInterval = time.Minute
)

// DropReasons has the names of this kernel's packet drop reasons, with those of subsystems. The numbers differ from
// kernel to kernel, so all names come from its type information. It is safe for concurrent use.
type DropReasons struct {
	// subsystems is indexed by the upper 16 bits of a reason. The network core is 0.
	subsystems []dropSubsystem
	// reload searches again for the reasons of a subsystem, whose module may have been loaded since; nil if that is
	// impossible.
	reload func(subsystem string, number uint32) []string
	now    func() time.Time

	mu         sync.Mutex
	reloadedAt time.Time
	unknown    map[uint32]string
}

type dropSubsystem struct {
	// name is empty if this kernel has no subsystems, or none with this number.
	name string
	// reasons has names by the lower 16 bits of a reason; nil if there are none yet.
	reasons atomic.Pointer[[]string]
}

func newDropReasons(subsystems []string) *DropReasons {
	d := &DropReasons{
		subsystems: make([]dropSubsystem, max(1, len(subsystems))),
		now:        time.Now,
		unknown:    make(map[uint32]string),
	}
	for i, name := range subsystems {
		d.subsystems[i].name = name
	}
	return d
}

// HasReasons reports whether this kernel gives drop reasons, as kernels do since Linux 5.17.
func (d *DropReasons) HasReasons() bool { return d.subsystems[0].reasons.Load() != nil }

// Name returns the name of a reason and of its subsystem as in this kernel's enums, in lower case and without the prefix,
// as in "no_socket" of "core". SKB_CONSUMED and SKB_NOT_DROPPED_YET, which are not drops, are "consumed" and
// "not_dropped_yet". A reason without a name is its number in decimal. The subsystem is empty if this kernel has none
// with that number. Only a number that is seen for the first time costs an allocation.
func (d *DropReasons) Name(reason uint32) (name, subsystem string) {
	number := reason >> subsystemShift
	if number >= uint32(len(d.subsystems)) {
		return d.decimal(reason), ""
	}
	s := &d.subsystems[number]
	if name := s.reason(reason); name != "" {
		return name, s.name
	}
	if number != 0 && s.reasons.Load() == nil {
		d.refresh(number)
		if name := s.reason(reason); name != "" {
			return name, s.name
		}
	}
	return d.decimal(reason), s.name
}

// reason returns the name of a reason of this subsystem, or "".
func (s *dropSubsystem) reason(reason uint32) string {
	names := s.reasons.Load()
	if i := reason & reasonMask; names != nil && i < uint32(len(*names)) {
		return (*names)[i]
	}
	return ""
}

// set sets the reasons of a subsystem, if there are any.
func (s *dropSubsystem) set(names []string) {
	if len(names) > 0 {
		s.reasons.Store(&names)
	}
}

// refresh searches again for the reasons of a subsystem that had none, at most once per refreshInterval.
func (d *DropReasons) refresh(number uint32) {
	s := &d.subsystems[number]
	if d.reload == nil || s.name == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.now(); now.Sub(d.reloadedAt) >= refreshInterval {
		d.reloadedAt = now
		s.set(d.reload(s.name, number))
	}
}

// decimal returns the number of a reason in decimal.
func (d *DropReasons) decimal(reason uint32) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if text, ok := d.unknown[reason]; ok {
		return text
	}
	text := strconv.FormatUint(uint64(reason), 10)
	if len(d.unknown) < maxUnknownReasons {
		d.unknown[reason] = text
	}
	return text
}
