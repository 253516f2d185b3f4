// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

// SetOf returns a set of programs with their default configurations, numbered from 1. Nothing is in the kernel.
func SetOf(host *Host, definitions ...Definition) *Set {
	s := &Set{}
	for i := range definitions {
		d := &definitions[i]
		l := &loaded{definition: d, program: d.New(d.DefaultConfig(), host)}
		s.loaded = append(s.loaded, l)
		s.byNumber[i+1].Store(l)
	}
	return s
}
