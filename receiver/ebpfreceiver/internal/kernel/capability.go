// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// Capability is a capability of a process, by its number in the kernel.
type Capability uint8

// The capabilities that matter for eBPF.
const (
	CapDACReadSearch Capability = 2
	CapNetAdmin      Capability = 12
	CapSysPtrace     Capability = 19
	CapSysAdmin      Capability = 21
	CapSysResource   Capability = 24
	CapSyslog        Capability = 34
	CapPerfmon       Capability = 38
	CapBPF           Capability = 39
)

var capabilityNames = map[Capability]string{
	CapDACReadSearch: "CAP_DAC_READ_SEARCH",
	CapNetAdmin:      "CAP_NET_ADMIN",
	CapSysPtrace:     "CAP_SYS_PTRACE",
	CapSysAdmin:      "CAP_SYS_ADMIN",
	CapSysResource:   "CAP_SYS_RESOURCE",
	CapSyslog:        "CAP_SYSLOG",
	CapPerfmon:       "CAP_PERFMON",
	CapBPF:           "CAP_BPF",
}

// String returns the name of the capability, as in "CAP_BPF".
func (c Capability) String() string {
	if name, ok := capabilityNames[c]; ok {
		return name
	}
	return fmt.Sprintf("capability %d", uint8(c))
}

// Capabilities is a set of capabilities, one bit each.
type Capabilities uint64

// Has reports whether the set has a capability, or CAP_SYS_ADMIN where the kernel accepts that instead.
func (s Capabilities) Has(c Capability) bool {
	switch c {
	case CapBPF, CapPerfmon, CapNetAdmin:
		return s&(1<<c|1<<CapSysAdmin) != 0
	default:
		return s&(1<<c) != 0
	}
}

// check returns an error that names the needed capabilities that are not in the set, and says how to give them.
func (s Capabilities) check(needed []Capability) error {
	missing := slices.DeleteFunc(slices.Clone(needed), s.Has)
	if len(missing) == 0 {
		return nil
	}
	verb := "is"
	if len(missing) > 1 {
		verb = "are"
	}
	list := func(capabilities []Capability, separator string) string {
		return joinFunc(capabilities, separator, Capability.String)
	}
	// setcap replaces all capabilities of the file, so the command lists all that are needed.
	return fmt.Errorf("%s %s missing: run as root, or `setcap %s+ep <executable>`, or AmbientCapabilities=%s in the systemd unit, or securityContext.capabilities.add: [%s] in Kubernetes",
		list(missing, ", "), verb,
		strings.ToLower(list(needed, ",")), list(needed, " "),
		strings.ReplaceAll(list(needed, ", "), "CAP_", ""))
}

func joinFunc[T any](items []T, separator string, text func(T) string) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = text(item)
	}
	return strings.Join(texts, separator)
}
