// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records that a kernel wrote earlier, in the order of their names.
func TestRecordedGolden(t *testing.T) {
	s, records := newScene(t), programtest.Recorded(t)
	s.take(records["1_query"], records["2_answer"])
	programtest.CompareLogs(t, "recorded.yaml", s.logs())
}
