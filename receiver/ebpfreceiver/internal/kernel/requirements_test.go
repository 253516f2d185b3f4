// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeHost returns a host that meets all requirements, with its files in a folder.
func fakeHost(t *testing.T) *Host {
	root := t.TempDir()
	write := func(path, text string) {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(text), 0o600))
	}
	write("/proc/self/mountinfo", mountinfo)
	write("/sys/kernel/btf/vmlinux", "")
	write("/proc/sys/kernel/bpf_stats_enabled", "0\n")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "/proc/self/ns"), 0o755))
	require.NoError(t, os.Symlink(initialUserNS, filepath.Join(root, "/proc/self/ns/user")))
	return &Host{
		Root:             root,
		Release:          func() (string, error) { return "6.1.0-28-amd64", nil },
		Capabilities:     func() (Capabilities, error) { return 1<<CapBPF | 1<<CapPerfmon | 1<<CapNetAdmin, nil },
		MemlockUnlimited: func() bool { return false },
		BPF:              func() error { return nil },
		PerfEventOpen:    func() error { return nil },
		Inode:            func(string) (uint64, error) { return rootInode, nil },
	}
}

var all = Requirements{Capabilities: []Capability{CapBPF, CapPerfmon, CapNetAdmin}, Tracefs: true, Cgroup2: true}

func TestCheck(t *testing.T) {
	withFile := func(path, text string) func(*testing.T, *Host) {
		return func(t *testing.T, h *Host) {
			require.NoError(t, os.MkdirAll(filepath.Dir(h.path(path)), 0o755))
			require.NoError(t, os.WriteFile(h.path(path), []byte(text), 0o600))
		}
	}
	withMountinfo := func(text string) func(*testing.T, *Host) { return withFile("/proc/self/mountinfo", text) }
	withRelease := func(release string) func(*testing.T, *Host) {
		return func(_ *testing.T, h *Host) { h.Release = func() (string, error) { return release, nil } }
	}
	withCapabilities := func(set Capabilities) func(*testing.T, *Host) {
		return func(_ *testing.T, h *Host) { h.Capabilities = func() (Capabilities, error) { return set, nil } }
	}
	for name, tc := range map[string]struct {
		change func(*testing.T, *Host)
		// want is part of the error. If it is empty, there is no error.
		want []string
	}{
		"all there":             {func(*testing.T, *Host) {}, nil},
		"oldest kernel":         {withRelease("5.11.0"), nil},
		"kernel too old":        {withRelease("4.19.0-26-amd64"), []string{"kernel 4.19.0-26-amd64 is too old", "BTF tracepoints (5.5)", "BPF ring buffer (5.8)", "run Linux 5.10 or newer"}},
		"kernel a little older": {withRelease("5.9.16"), []string{"kernel 5.9.16 is too old; run Linux 5.10 or newer"}},
		"kernel unknown":        {withRelease("next"), []string{`kernel release "next"`}},
		"no release": {func(_ *testing.T, h *Host) {
			h.Release = func() (string, error) { return "", errors.New("no name") }
		}, []string{"kernel release: no name"}},
		"CAP_SYS_ADMIN in their stead": {withCapabilities(1 << CapSysAdmin), nil},
		"one capability missing": {withCapabilities(1<<CapBPF | 1<<CapNetAdmin), []string{
			"CAP_PERFMON is missing", "setcap cap_bpf,cap_perfmon,cap_net_admin+ep",
			"AmbientCapabilities=CAP_BPF CAP_PERFMON CAP_NET_ADMIN", "add: [BPF, PERFMON, NET_ADMIN]",
		}},
		"all capabilities missing": {withCapabilities(0), []string{"CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN are missing"}},
		"no capabilities": {func(_ *testing.T, h *Host) {
			h.Capabilities = func() (Capabilities, error) { return 0, errors.New("refused") }
		}, []string{"capabilities of this process: refused"}},
		"maps in locked memory": {withRelease("5.10.0"), []string{"CAP_SYS_RESOURCE is missing", "cap_net_admin,cap_sys_resource+ep"}},
		"maps in unlimited locked memory": {func(_ *testing.T, h *Host) {
			withRelease("5.10.0")(nil, h)
			h.MemlockUnlimited = func() bool { return true }
		}, nil},
		"user namespace": {func(t *testing.T, h *Host) {
			require.NoError(t, os.Remove(h.path("/proc/self/ns/user")))
			require.NoError(t, os.Symlink("user:[4026532281]", h.path("/proc/self/ns/user")))
		}, []string{"user namespace"}},
		"refused by seccomp": {func(_ *testing.T, h *Host) {
			h.BPF = func() error { return os.ErrPermission }
		}, []string{"system call bpf is refused", "SystemCallFilter=bpf perf_event_open", "seccompProfile", "SELinux"}},
		"perf events refused by seccomp": {func(_ *testing.T, h *Host) {
			h.PerfEventOpen = func() error { return os.ErrPermission }
		}, []string{"system call perf_event_open is refused", "SystemCallFilter=bpf perf_event_open"}},
		"locked down for integrity":       {withFile("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n"), nil},
		"locked down for confidentiality": {withFile("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n"), []string{"locked down", "lockdown=integrity"}},
		"no BTF": {func(t *testing.T, h *Host) {
			require.NoError(t, os.Remove(h.path("/sys/kernel/btf/vmlinux")))
		}, []string{"/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF=y", "btf_path"}},
		"no tracefs": {withMountinfo("41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"), []string{"mount -t tracefs tracefs /sys/kernel/tracing"}},
		"no cgroup2": {withMountinfo("44 23 0:12 / /sys/kernel/tracing rw - tracefs tracefs rw\n"), []string{"mount -t cgroup2 none /sys/fs/cgroup"}},
		"no mounts": {func(t *testing.T, h *Host) {
			require.NoError(t, os.Remove(h.path("/proc/self/mountinfo")))
		}, []string{"mounted file systems"}},
		"all missing at once": {func(t *testing.T, h *Host) {
			withCapabilities(0)(t, h)
			withMountinfo("")(t, h)
			require.NoError(t, os.Remove(h.path("/sys/kernel/btf/vmlinux")))
		}, []string{"CAP_BPF", "vmlinux", "tracefs", "cgroup2"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := fakeHost(t)
			tc.change(t, h)
			err := h.Check(all)
			if tc.want == nil {
				require.NoError(t, err)
				return
			}
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestRequirementsAnd(t *testing.T) {
	some := Requirements{Capabilities: []Capability{CapBPF}, Tracefs: true}
	others := Requirements{Capabilities: []Capability{CapNetAdmin, CapBPF}, Cgroup2: true, BTFPath: "kernel.btf"}
	both := some.And(others)
	assert.Equal(t, Requirements{Capabilities: []Capability{CapBPF, CapNetAdmin}, Tracefs: true, Cgroup2: true, BTFPath: "kernel.btf"}, both)
	assert.Equal(t, []Capability{CapBPF}, some.Capabilities)
}

func TestCheckOnlyWhatIsRequired(t *testing.T) {
	h := fakeHost(t)
	require.NoError(t, os.Remove(h.path("/proc/self/mountinfo")))
	h.Capabilities = func() (Capabilities, error) { return 0, nil }
	assert.NoError(t, h.Check(Requirements{}))
}

func TestCheckBTFPath(t *testing.T) {
	h := fakeHost(t)
	path := filepath.Join(t.TempDir(), "kernel.btf")
	err := h.Check(Requirements{BTFPath: path})
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "btf_path")
	assert.ErrorContains(t, err, path)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	assert.NoError(t, h.Check(Requirements{BTFPath: path}))
}

func TestStatsEnabled(t *testing.T) {
	h := fakeHost(t)
	enabled, err := h.StatsEnabled()
	require.NoError(t, err)
	assert.False(t, enabled)

	path := h.path("/proc/sys/kernel/bpf_stats_enabled")
	require.NoError(t, os.WriteFile(path, []byte("1\n"), 0o600))
	enabled, err = h.StatsEnabled()
	require.NoError(t, err)
	assert.True(t, enabled)

	require.NoError(t, os.Remove(path))
	enabled, err = h.StatsEnabled()
	require.NoError(t, err, "the kernel has no statistics")
	assert.False(t, enabled)

	require.NoError(t, os.Mkdir(path, 0o755))
	_, err = h.StatsEnabled()
	assert.ErrorContains(t, err, "kernel.bpf_stats_enabled")
}

func TestParseVersion(t *testing.T) {
	for release, want := range map[string]Version{
		"5.10.0-28-amd64": {5, 10},
		"6.18.44-fc-v509": {6, 18},
		"5.15+":           {5, 15},
		"7.0-rc1":         {7, 0},
		"10.20":           {10, 20},
	} {
		got, err := ParseVersion(release)
		require.NoError(t, err)
		assert.Equal(t, want, got, release)
	}
	for _, release := range []string{"", "6", "six.one", "6.", "6.x", ".1"} {
		_, err := ParseVersion(release)
		assert.ErrorContains(t, err, release, "%q", release)
	}
	assert.True(t, Version{5, 9}.Less(Version{5, 10}))
	assert.True(t, Version{4, 19}.Less(Version{5, 0}))
	assert.False(t, Version{5, 10}.Less(Version{5, 10}))
	assert.False(t, Version{6, 1}.Less(Version{5, 10}))
	assert.Equal(t, "5.10", Version{5, 10}.String())
}

func TestCapability(t *testing.T) {
	assert.Equal(t, "CAP_PERFMON", CapPerfmon.String())
	assert.Equal(t, "capability 7", Capability(7).String())
	admin := Capabilities(1 << CapSysAdmin)
	for _, c := range []Capability{CapBPF, CapPerfmon, CapNetAdmin, CapSysAdmin} {
		assert.True(t, admin.Has(c), c)
	}
	for _, c := range []Capability{CapSyslog, CapDACReadSearch, CapSysResource, CapSysPtrace} {
		assert.False(t, admin.Has(c), c)
		assert.True(t, Capabilities(1<<c).Has(c), c)
	}
}

func TestExplainLoad(t *testing.T) {
	for _, refused := range []error{
		errors.New("unknown func bpf_probe_read#4"),
		errors.New("program of this type cannot use helper bpf_probe_read_kernel#113"),
		fmt.Errorf("load program: %w", &ebpf.VerifierError{Cause: os.ErrInvalid, Log: []string{
			"7: (85) call bpf_probe_read_kernel#113", "program of this type cannot use helper bpf_probe_read#4", "",
		}}),
	} {
		err := ExplainLoad(refused)
		require.ErrorIs(t, err, refused)
		assert.ErrorContains(t, err, "lockdown=integrity")
	}
	for _, other := range []error{
		errors.New("R1 invalid mem access"),
		&ebpf.VerifierError{Cause: os.ErrInvalid, Log: []string{"7: (85) call bpf_probe_read_kernel#113", "R1 invalid mem access"}},
	} {
		assert.Equal(t, other, ExplainLoad(other))
	}
}

func TestAtLeast(t *testing.T) {
	for release, want := range map[string]bool{"6.19.0-amd64": true, "7.3.4": true, "6.18.44": false, "5.10.0-28": false, "next": false} {
		h := &Host{Release: func() (string, error) { return release, nil }}
		assert.Equal(t, want, h.AtLeast(Version{6, 19}), release)
	}
	var nobody *Host
	assert.False(t, nobody.AtLeast(Version{5, 10}))
	h := &Host{Release: func() (string, error) { return "", assert.AnError }}
	assert.False(t, h.AtLeast(Version{5, 10}))
}
