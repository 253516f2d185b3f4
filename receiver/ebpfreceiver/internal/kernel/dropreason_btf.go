// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"strings"

	"github.com/cilium/ebpf/btf"
)

const (
	// maxReasons and maxSubsystems bound the tables, in case the type information is broken.
	maxReasons    = 4096
	maxSubsystems = 256
)

// DropReasons returns the names of this kernel's drop reasons. They do not refer to b afterwards.
func (b *BTF) DropReasons() *DropReasons {
	d := newDropReasons(subsystemNames(enums(b.types, "skb_drop_reason_subsys")))
	d.subsystems[0].set(reasonNames(enums(b.types, "skb_drop_reason"), 0))
	for number := uint32(1); number < uint32(len(d.subsystems)); number++ {
		s := &d.subsystems[number]
		s.set(b.subsystemReasons(s.name, number))
	}
	d.reloadedAt = d.now()
	if !b.external {
		d.reload = func(subsystem string, number uint32) []string {
			now, err := LoadBTF("")
			if err != nil {
				return nil
			}
			return now.subsystemReasons(subsystem, number)
		}
	}
	return d
}

// subsystemReasons finds the reasons of a subsystem in the kernel's types and in its module's. A subsystem, its module
// and its enum share a stem: reasons of mac80211_unusable are in the enum mac80211_drop_reason of the module mac80211.
func (b *BTF) subsystemReasons(subsystem string, number uint32) []string {
	for stem := subsystem; stem != ""; {
		enum := stem
		if stem == "openvswitch" {
			enum = "ovs"
		}
		if names := reasonNames(b.enumsOf(enum+"_drop_reason", stem), number); len(names) > 0 {
			return names
		}
		stem = stem[:max(0, strings.LastIndexByte(stem, '_'))]
	}
	return nil
}

// subsystemNames returns the names of the subsystems by their number.
func subsystemNames(found []*btf.Enum) []string {
	var names []string
	for _, e := range found {
		for _, v := range e.Values {
			// The last enumerator is the number of subsystems.
			if name, ok := strings.CutPrefix(v.Name, "SKB_DROP_REASON_SUBSYS_"); ok && name != "NUM" {
				names = put(names, v.Value, maxSubsystems, name)
			}
		}
	}
	return names
}

// reasonNames returns the names of a subsystem's reasons by the lower 16 bits of their number.
func reasonNames(found []*btf.Enum, subsystem uint32) []string {
	var names []string
	for _, e := range found {
		for _, v := range e.Values {
			name, ok := reasonName(v.Name)
			if ok && v.Value>>subsystemShift == uint64(subsystem) {
				names = put(names, v.Value&reasonMask, maxReasons, name)
			}
		}
	}
	return names
}

// reasonName cuts the prefix off an enumerator. ok is false for an enumerator that marks an end, or the base of a
// subsystem.
func reasonName(enumerator string) (name string, ok bool) {
	switch enumerator {
	case "SKB_NOT_DROPPED_YET", "SKB_CONSUMED":
		return strings.TrimPrefix(enumerator, "SKB_"), true
	}
	if strings.HasPrefix(enumerator, "_") {
		return "", false
	}
	_, name, ok = strings.Cut(enumerator, "DROP_")
	name = strings.TrimPrefix(name, "REASON_")
	return name, ok && name != "" && name != "MAX" && name != "SUBSYS_MASK"
}

// put sets names[i] to name in lower case if i is free and below limit; it grows names as needed.
func put(names []string, i uint64, limit int, name string) []string {
	if i >= uint64(limit) {
		return names
	}
	for uint64(len(names)) <= i {
		names = append(names, "")
	}
	if names[i] == "" {
		names[i] = strings.ToLower(name)
	}
	return names
}
