// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

const btfFolder = "/sys/kernel/btf"

// allBut returns the numbers of all system calls except one.
func allBut(refused uint32) (numbers []uint32) {
	for n := range uint32(600) {
		if n != refused {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// The error names what the collector lacks, with the remedy.
func TestSurroundingsThatAreMissing(t *testing.T) {
	lockdown := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(lockdown, "lockdown"), []byte("none integrity [confidentiality]\n"), 0o600))
	for name, tt := range map[string]struct {
		receiver string
		without  restrict.Restriction
		want     []string
	}{
		"BTF": {
			everything,
			restrict.Restriction{Mount: []restrict.Mount{{Source: t.TempDir(), At: btfFolder}}},
			[]string{"no BTF at /sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF=y", "btf_path"},
		},
		"BTF file": {
			"{btf_path: /nowhere/kernel.btf, programs: {connection: }}",
			restrict.Restriction{},
			[]string{`btf_path: no BTF can be read from "/nowhere/kernel.btf"`, "leave btf_path out"},
		},
		"cgroup2": {
			everything,
			restrict.Restriction{Unmount: []string{"cgroup2"}},
			[]string{"no cgroup2 hierarchy is mounted", "mount -t cgroup2 none /sys/fs/cgroup"},
		},
		"tracefs": {
			"{programs: {connection: {protocols: [unix]}}}",
			restrict.Restriction{Unmount: []string{"tracefs"}},
			[]string{"no tracefs is mounted", "mount -t tracefs tracefs /sys/kernel/tracing"},
		},
		"an unlocked kernel": {
			everything,
			restrict.Restriction{Mount: []restrict.Mount{{Source: lockdown, At: "/sys/kernel/security"}}},
			[]string{"the kernel is locked down for confidentiality", "lockdown=integrity"},
		},
		"the perf_event_open system call": {
			"{programs: {connection: {protocols: [unix]}}}",
			restrict.Restriction{Syscalls: allBut(unix.SYS_PERF_EVENT_OPEN)},
			[]string{"the system call perf_event_open is refused, though no capability is missing: operation not permitted"},
		},
		"the bpf system call": {
			everything,
			restrict.Restriction{Syscalls: allBut(unix.SYS_BPF)},
			[]string{"the system call bpf is refused, though no capability is missing: operation not permitted", "SystemCallFilter=bpf perf_event_open"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := newTrial(t, tt.receiver, tt.without).fail(t)
			for _, want := range tt.want {
				assert.Contains(t, log, want)
			}
		})
	}
}

// The kernel's own BTF at its usual place is needed to attach programs. A BTF file does not replace it.
func TestBTFFile(t *testing.T) {
	testenv.RequireKernel(t)
	file := filepath.Join(provoke.PublicDir(t), "kernel.btf")
	testenv.Copy(t, btfFolder+"/vmlinux", file)
	receiver := "{btf_path: " + file + ", programs: {packet_drop: }}"

	tr := newTrial(t, receiver, restrict.Restriction{})
	c := tr.start(t)
	provoke.Drop(t, tr.events)
	require.NoError(t, c.Stop())

	log := newTrial(t, receiver, restrict.Restriction{Mount: []restrict.Mount{{Source: t.TempDir(), At: btfFolder}}}).fail(t)
	assert.Contains(t, log, "/sys/kernel/btf/vmlinux")
	assert.Contains(t, log, "btf_path says only where the fields of this kernel are")
}

// Without the addresses of functions, drops have no location. The reason is logged once.
func TestHiddenSymbols(t *testing.T) {
	testenv.RequireKernel(t)
	const symbols = "/proc/kallsyms"
	shown, err := os.ReadFile(symbols)
	require.NoError(t, err)
	hidden := filepath.Join(t.TempDir(), "hidden")
	addresses := regexp.MustCompile(`(?m)^[0-9a-f]+`)
	require.NoError(t, os.WriteFile(hidden, addresses.ReplaceAll(shown, []byte("0000000000000000")), 0o600))

	for name, tt := range map[string]struct{ cover, want string }{
		"as by kernel.kptr_restrict":             {hidden, "kernel.kptr_restrict to 0 or 1"},
		"as by ProtectKernelTunables of systemd": {os.DevNull, "ProtectKernelTunables="},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, everything, restrict.Restriction{Mount: []restrict.Mount{{Source: tt.cover, At: symbols}}})
			c := tr.start(t)
			for range 2 {
				assert.NotContains(t, provoke.Drop(t, tr.events).Attributes, "ebpf.drop.location")
			}
			require.NoError(t, c.Stop())
			assert.Equal(t, 1, strings.Count(c.Log(), tt.want), c.Log())
		})
	}
}

// The programs do not need the file systems for pinning, tracing and debugging.
func TestNeitherBPFNorTracingFileSystem(t *testing.T) {
	tr := newTrial(t, everything, restrict.Restriction{Unmount: []string{"bpf", "tracefs", "debugfs", "securityfs"}})
	c := tr.start(t)
	provoke.Connections(t, tr.events)
	provoke.Drop(t, tr.events)
	assert.NoError(t, c.Stop())
}
