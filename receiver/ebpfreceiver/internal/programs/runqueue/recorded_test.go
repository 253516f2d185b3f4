// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records that a kernel wrote earlier, in the order of their names.
func TestRecordedGolden(t *testing.T) {
	host := programtest.Host(t)
	programtest.CompareRecorded(t, host, newProgram(defaultConfig(), host))
}
