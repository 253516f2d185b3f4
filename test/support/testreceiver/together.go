// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testreceiver

import (
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/confmap"
)

// eventPrefixes are the prefixes of the event names of the programs that Together enables.
var eventPrefixes = map[string]string{
	"connection":  "ebpf.connection.",
	"packet_drop": "ebpf.packet.drop",
	"tcp":         "ebpf.tcp.",
}

// together has the names of the tests that called Together.
var together sync.Map

// Together enables all of the programs connection, packet_drop and tcp in each receiver of the test and its subtests whose
// configuration has one of them: these programs share state of sockets. Events of the added programs stay hidden, so that the
// test compares the same events as with its own programs alone.
func Together(t testing.TB) {
	together.Store(t.Name(), nil)
	t.Cleanup(func() { together.Delete(t.Name()) })
}

// isTogether reports whether the test or one of its parents called Together.
func isTogether(test string) bool {
	for ; test != "."; test = path.Dir(test) {
		if _, ok := together.Load(test); ok {
			return true
		}
	}
	return false
}

// addPrograms adds the missing programs to a configuration that has one of them, and returns the added ones.
func addPrograms(config *confmap.Conf) (added []string, err error) {
	more := map[string]any{}
	for program := range eventPrefixes {
		if !config.IsSet("programs::" + program) {
			more[program] = map[string]any{}
			added = append(added, program)
		}
	}
	if len(added) == len(eventPrefixes) {
		return nil, nil
	}
	return added, config.Merge(confmap.NewFromStringMap(map[string]any{"programs": more}))
}

// isOf reports whether one of the programs emits such events.
func (e Event) isOf(programs []string) bool {
	return slices.ContainsFunc(programs, func(program string) bool {
		return strings.HasPrefix(e.Name, eventPrefixes[program]) || e.Attributes["ebpf.program.name"] == program
	})
}
