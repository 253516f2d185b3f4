// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package programs

import "fmt"

// Capabilities are those that programs may need, in the order of the documentation.
var Capabilities = []string{"CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYSLOG", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"}

// CapabilityNumbers returns the kernel's numbers of capabilities (linux/capability.h).
func CapabilityNumbers(names ...string) []uintptr {
	known := map[string]uintptr{
		"CAP_DAC_READ_SEARCH": 2,
		"CAP_NET_ADMIN":       12,
		"CAP_SYS_PTRACE":      19,
		"CAP_SYSLOG":          34,
		"CAP_PERFMON":         38,
		"CAP_BPF":             39,
	}
	numbers := make([]uintptr, len(names))
	for i, name := range names {
		number, ok := known[name]
		if !ok {
			panic(fmt.Sprintf("capability %s is not among %v", name, Capabilities))
		}
		numbers[i] = number
	}
	return numbers
}
