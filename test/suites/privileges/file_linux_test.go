// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// An executable with file capabilities (setcap) gives them to every user who starts it.
func TestFileCapabilities(t *testing.T) {
	for _, u := range uses() {
		t.Run(u.title(), func(t *testing.T) {
			binary := filepath.Join(provoke.PublicDir(t), "otelcol-ebpf")
			testenv.Copy(t, testenv.Collector(t), binary)
			if err := setcap(binary, u.documented()); err != nil {
				testenv.Missing(t, "file capabilities are not supported: "+err.Error())
			}
			tr := u.trialOf(t, binary, restrict.Restriction{User: &restrict.User{ID: nobody}})
			c := tr.start(t)
			u.provoke(t, tr)
			require.NoError(t, c.Stop())
		})
	}
}

// setcap sets capabilities of a file, as `setcap …+ep` does.
func setcap(path string, set []string) error {
	// struct vfs_cap_data, version 2: permitted and inheritable, low half and high half.
	const version2, effective = 0x02000000, 1
	var permitted uint64
	for _, number := range programs.CapabilityNumbers(set...) {
		permitted |= 1 << number
	}
	data := binary.LittleEndian.AppendUint32(nil, version2|effective)
	for _, word := range []uint32{uint32(permitted), 0, uint32(permitted >> 32), 0} {
		data = binary.LittleEndian.AppendUint32(data, word)
	}
	return unix.Setxattr(path, "security.capability", data, 0)
}
